//! Progress of long work, on standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum When {
    /// When standard error is a terminal.
    Auto,
    /// Also in a file or a pipe.
    Always,
    /// Not at all.
    Never,
}

/// One stage of the work; its bar vanishes when this is dropped.
#[derive(Debug)]
pub(crate) struct Stage(ProgressBar);

impl When {
    /// Begins a stage of `total` bytes.
    pub(crate) fn bytes(self, name: &'static str, total: u64) -> Stage {
        self.stage(name, total, "{msg:9} [{bar:40}] {bytes}/{total_bytes} {elapsed}")
    }

    /// Begins a stage of `total` steps.
    pub(crate) fn steps(self, name: &'static str, total: usize) -> Stage {
        self.stage(
            name,
            total as u64,
            "{msg:9} [{bar:40}] {human_pos}/{human_len} {elapsed} (eta {eta})",
        )
    }

    /// Begins a stage whose end cannot be foreseen.
    pub(crate) fn endless(self, name: &'static str) -> Stage {
        self.stage(name, 0, "{msg:9} {spinner} {elapsed}")
    }

    fn stage(self, name: &'static str, total: u64, template: &str) -> Stage {
        let target = self.target();
        if target.is_hidden() {
            return Stage(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = ProgressBar::with_draw_target(Some(total), target);
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(name);
        bar.tick();
        // A stage that does one long thing still shows that it is alive.
        bar.enable_steady_tick(Duration::from_millis(200));
        Stage(bar)
    }

    fn target(self) -> ProgressDrawTarget {
        match self {
            Self::Never => ProgressDrawTarget::hidden(),
            Self::Auto => ProgressDrawTarget::stderr(),
            Self::Always if io::stderr().is_terminal() => ProgressDrawTarget::stderr(),
            Self::Always => ProgressDrawTarget::term_like_with_hz(Box::new(PlainStderr), 10),
        }
    }
}

impl Stage {
    /// `done` more bytes or steps are done.
    pub(crate) fn advance(&self, done: u64) {
        self.0.inc(done);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The last state is always drawn: a stage that was faster than the drawing shows its full bar.
        self.0.abandon();
        self.0.finish_and_clear();
    }
}

/// Standard error that is not a terminal, for `--progress always`: each state of the bar is a line.
#[derive(Debug)]
struct PlainStderr;

impl TermLike for PlainStderr {
    fn width(&self) -> u16 {
        100
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let text: Cow<'_, str> = match text.trim_end() {
            "" => return Ok(()),
            text => Cow::Owned(format!("{text}\n")),
        };
        io::stderr().write_all(text.as_bytes())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}
