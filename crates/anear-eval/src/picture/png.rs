//! From SVG to pixels, with letters of our own: a machine without fonts shows the text too.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::{Error, Result};

/// Inter (SIL Open Font License), with the letters of Latin and Greek alone.
const REGULAR: &[u8] = include_bytes!("../../fonts/Inter-Regular.otf");
const SEMI_BOLD: &[u8] = include_bytes!("../../fonts/Inter-SemiBold.otf");

/// A picture of an SVG document, `scale` pixels to its unit, as the bytes of a PNG file.
///
/// Letters that are neither Latin nor Greek are taken from the fonts of the system.
///
/// ```
/// use anear_eval::picture::{Chart, Theme, to_png};
///
/// let png = to_png(&Chart::default().to_svg(Theme::Light), 1.0)?;
/// assert!(png.starts_with(b"\x89PNG"));
/// # Ok::<(), anear_eval::Error>(())
/// ```
///
/// # Errors
/// [`Error::Picture`] when the document is none, or too large.
pub fn to_png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    let wrong = |reason: String| Error::Picture(reason);
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(REGULAR.to_vec());
    fonts.load_font_data(SEMI_BOLD.to_vec());
    if !svg.chars().all(has_letter) {
        fonts.load_system_fonts();
    }
    let options = Options {
        font_family: "Inter".into(),
        fontdb: Arc::new(fonts),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).map_err(|error| wrong(error.to_string()))?;
    let size = tree.size().to_int_size().scale_by(scale);
    let pixmap = size.and_then(|size| Pixmap::new(size.width(), size.height()));
    let mut pixmap = pixmap.ok_or_else(|| wrong(format!("it has no size {scale} times its own")))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| wrong(error.to_string()))
}

/// Whether our own fonts have the letter.
fn has_letter(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{17f}' | 'Α'..='ω' | '\u{2010}'..='\u{2026}' | '≤' | '≥' | '≈' | '∞')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Chart, Theme};

    fn pixels(svg: &str) -> Pixmap {
        Pixmap::decode_png(&to_png(svg, 1.0).unwrap()).unwrap()
    }

    #[test]
    fn text_shows() {
        let with = |title: &str| {
            let title = title.into();
            let chart = Chart {
                title,
                ..Chart::default()
            };
            pixels(&chart.to_svg(Theme::Light))
        };
        let (blank, text) = (with(""), with("QPS"));
        let changed = blank.pixels().iter().zip(text.pixels()).filter(|(a, b)| a != b).count();
        assert!(changed > 100, "three letters of 21 pixels: {changed}");
        assert_eq!((blank.width(), blank.height()), (1000, 636));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let error = to_png("<svg", 1.0).unwrap_err().to_string();
        assert!(error.starts_with("cannot draw the picture: "), "{error}");
    }
}
