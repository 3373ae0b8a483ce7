//! Charts of recall and speed, as files.

use std::fs;
use std::path::Path;

use anear::eval::picture::{Chart, Theme, to_png};

use crate::args::PictureArgs;
use crate::error::{Error, Result};

/// Pixels of a PNG to one unit of the chart.
const PIXELS: f32 = 2.0;

/// Where a chart goes, and as what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    path: &'a Path,
    is_png: bool,
    theme: Theme,
}

impl<'a> Picture<'a> {
    /// The one that is wanted, if one is; refused before anything is measured if it cannot be drawn.
    pub(crate) fn wanted(args: &'a PictureArgs) -> Result<Option<Self>> {
        let Some(path) = args.picture.as_deref() else {
            return Ok(None);
        };
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_png = match extension.as_str() {
            "svg" => false,
            "png" => true,
            _ => {
                let path = path.display();
                return Err(Error::Usage(format!("--picture takes a .svg or a .png, not {path}")));
            }
        };
        let theme = if args.dark { Theme::Dark } else { Theme::Light };
        Ok(Some(Self { path, is_png, theme }))
    }

    pub(crate) fn write(&self, chart: &Chart) -> Result<()> {
        let svg = chart.to_svg(self.theme);
        let bytes = if self.is_png {
            to_png(&svg, PIXELS)?
        } else {
            svg.into_bytes()
        };
        fs::write(self.path, bytes).map_err(|source| Error::Picture {
            path: self.path.to_owned(),
            source,
        })
    }
}
