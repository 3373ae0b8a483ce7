//! A chart of recall and speed, one curve for each index: SVG written by hand, PNG of it with the feature `png`.
//!
//! Speed is drawn by its logarithm, and recall by the logarithm of what is missing: between 0.9 and 0.99 there is as
//! much room as between 0.99 and 1, where the choice is made. Up and to the right is better.

#[cfg(feature = "png")]
mod png;
mod scale;

#[cfg(feature = "png")]
pub use png::to_png;

use std::fmt::Write as _;

use self::scale::{Scale, axis_number};

/// What is drawn.
///
/// ```
/// use anear_eval::picture::{Chart, Curve, Theme};
///
/// let chart = Chart {
///     title: "SIFT1M, 10 neighbors".into(),
///     caption: "8 threads of a made-up machine".into(),
///     recall_label: "recall@10".into(),
///     curves: vec![Curve { name: "IVF1024,Flat".into(), frontier: vec![(0.62, 9000.0), (0.95, 2500.0)], others: vec![] }],
/// };
/// let svg = chart.to_svg(Theme::Light);
/// assert!(svg.starts_with("<svg") && svg.contains("IVF1024,Flat"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What was measured, in a few words.
    pub title: String,
    /// On what machine, with how many threads.
    pub caption: String,
    /// What the horizontal axis shows, for example `recall@10`.
    pub recall_label: String,
    /// The curves, in the order of their colors.
    pub curves: Vec<Curve>,
}

/// One index: its settings as points of recall and queries per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// What is written at its end.
    pub name: String,
    /// The settings worth having, joined by a line.
    pub frontier: Vec<(f64, f64)>,
    /// The others, as faint dots, if they are not far off.
    pub others: Vec<(f64, f64)>,
}

/// Dark ink on white, or light ink on black.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// For paper and light pages.
    #[default]
    Light,
    /// For dark pages.
    Dark,
}

/// The size of the picture; the plot lies between the margins.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 636.0;
const LEFT: f64 = 84.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = HEIGHT - 112.0;

/// Space between two names at the ends of curves.
const LINE: f64 = 19.0;

/// A letter is about so wide, in parts of its size: enough to make room, not to measure.
const LETTER: f64 = 0.58;

/// Inter where it is installed (and in PNG), otherwise what the reader's system has.
const FONTS: &str = "Inter, 'Helvetica Neue', 'Segoe UI', Arial, sans-serif";

struct Colors {
    paper: &'static str,
    ink: &'static str,
    soft: &'static str,
    grid: &'static str,
    fine: &'static str,
    curves: [&'static str; 9],
}

impl Theme {
    fn colors(self) -> Colors {
        match self {
            Self::Light => Colors {
                paper: "#ffffff",
                ink: "#1d2129",
                soft: "#667080",
                grid: "#dfe3e8",
                fine: "#f0f2f5",
                curves: [
                    "#2563c9", "#d9622b", "#1f9254", "#8a4fc7", "#c22f58", "#0f8a96", "#94700f", "#5a6472", "#b23fa8",
                ],
            },
            Self::Dark => Colors {
                paper: "#14171c",
                ink: "#eceff4",
                soft: "#98a2b0",
                grid: "#2f353e",
                fine: "#20252c",
                curves: [
                    "#6ba5f7", "#f4935a", "#58c98a", "#bd8ff0", "#f2718f", "#4cc5cf", "#d9b44a", "#aab3c0", "#ea86dd",
                ],
            },
        }
    }
}

impl Chart {
    /// The chart as an SVG document, of which `to_png` makes pixels (feature `png`).
    pub fn to_svg(&self, theme: Theme) -> String {
        let frame = Frame::new(self, theme);
        let mut svg = String::new();
        frame.open(&mut svg, self);
        frame.grid(&mut svg, self);
        for (i, curve) in self.curves.iter().enumerate() {
            frame.curve(&mut svg, curve, frame.color(i));
        }
        frame.names(&mut svg, self);
        svg.push_str("</svg>\n");
        svg
    }

    /// The points that the axes are made for.
    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        let all = self.curves.iter().flat_map(|curve| &curve.frontier);
        all.copied().filter(|&point| is_drawable(point))
    }
}

/// Whether a point has a place: a logarithm of its speed.
fn is_drawable((recall, qps): (f64, f64)) -> bool {
    (0.0..=1.0).contains(&recall) && qps > 0.0 && qps.is_finite()
}

/// A text in two lines, broken behind a semicolon, if it has one and is longer than `letters`.
fn wrapped(text: &str, letters: usize) -> Vec<&str> {
    let fits = |at: &usize| text[..*at].chars().count() <= letters;
    let breaks = text.match_indices("; ").map(|(at, found)| at + found.len());
    match breaks.filter(fits).last() {
        Some(at) if text.chars().count() > letters => vec![&text[..at], &text[at..]],
        _ => vec![text],
    }
}

/// Where things are.
struct Frame {
    right: f64,
    recall: Scale,
    qps: Scale,
    colors: Colors,
}

impl Frame {
    fn new(chart: &Chart, theme: Theme) -> Self {
        let longest = chart
            .curves
            .iter()
            .map(|curve| curve.name.chars().count())
            .max()
            .unwrap_or(0);
        let names = (longest as f64 * 13.5 * LETTER + 40.0).clamp(60.0, 300.0);
        let right = WIDTH - names;
        Self {
            right,
            recall: Scale::recall(chart.points().map(|(recall, _)| recall), LEFT, right),
            qps: Scale::qps(chart.points().map(|(_, qps)| qps), BOTTOM, TOP),
            colors: theme.colors(),
        }
    }

    fn color(&self, curve: usize) -> &'static str {
        self.colors.curves[curve % self.colors.curves.len()]
    }

    fn open(&self, svg: &mut String, chart: &Chart) {
        let (paper, ink, soft) = (self.colors.paper, self.colors.ink, self.colors.soft);
        write_to(
            svg,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
                 height=\"{HEIGHT}\" font-family=\"{FONTS}\" font-size=\"13.5\">\n\
                 <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{paper}\"/>\n"
            ),
        );
        let label = escaped(&chart.recall_label);
        let texts = [
            (
                LEFT,
                42.0,
                format!("fill=\"{ink}\" font-size=\"21\" font-weight=\"600\""),
                escaped(&chart.title),
            ),
            (
                LEFT,
                66.0,
                format!("fill=\"{soft}\""),
                "queries per second, by recall; up and to the right is better".into(),
            ),
            (
                (LEFT + self.right) / 2.0,
                BOTTOM + 48.0,
                format!("fill=\"{ink}\" font-weight=\"600\" text-anchor=\"middle\""),
                label,
            ),
        ];
        let caption = wrapped(&chart.caption, ((WIDTH - LEFT) / (12.0 * LETTER)) as usize);
        let captions = caption.iter().enumerate().map(|(i, line)| {
            let style = format!("fill=\"{soft}\" font-size=\"12\"");
            (LEFT, BOTTOM + 78.0 + 17.0 * i as f64, style, escaped(line))
        });
        for (x, y, style, text) in texts.into_iter().chain(captions) {
            write_to(
                svg,
                format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{text}</text>\n"),
            );
        }
    }

    fn grid(&self, svg: &mut String, chart: &Chart) {
        let Colors { grid, fine, soft, .. } = self.colors;
        let right = self.right;
        for tick in self.qps.ticks() {
            let (y, color) = (self.qps.place(tick.value), if tick.is_major { grid } else { fine });
            write_to(
                svg,
                format_args!("<path d=\"M{LEFT:.1} {y:.1}H{right:.1}\" stroke=\"{color}\"/>\n"),
            );
            if tick.is_labeled {
                let (x, y, number) = (LEFT - 12.0, y + 4.5, axis_number(tick.value));
                write_to(
                    svg,
                    format_args!(
                        "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{soft}\" text-anchor=\"end\">{number}</text>\n"
                    ),
                );
            }
        }
        for tick in self.recall.ticks() {
            let (x, number) = (self.recall.place(tick.value), tick.value);
            write_to(
                svg,
                format_args!(
                    "<path d=\"M{x:.1} {TOP:.1}V{BOTTOM:.1}\" stroke=\"{grid}\"/>\n\
                     <text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{soft}\" text-anchor=\"middle\">{number}</text>\n",
                    BOTTOM + 22.0
                ),
            );
        }
        if chart.points().next().is_none() {
            let (x, y) = ((LEFT + right) / 2.0, (TOP + BOTTOM) / 2.0);
            write_to(
                svg,
                format_args!(
                    "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{soft}\" text-anchor=\"middle\">nothing was measured</text>\n"
                ),
            );
        }
    }

    fn curve(&self, svg: &mut String, curve: &Curve, color: &str) {
        // What is far off the frontier is not worth the paper that it would take.
        let is_near = |&&(recall, qps): &&(f64, f64)| {
            is_drawable((recall, qps)) && self.recall.holds(recall) && self.qps.holds(qps)
        };
        for &point in curve.others.iter().filter(is_near) {
            let (x, y) = self.place(point);
            write_to(
                svg,
                format_args!(
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{color}\" fill-opacity=\"0.35\"/>\n"
                ),
            );
        }
        let line = self.line(curve);
        let mut path = String::new();
        for (i, (x, y)) in line.iter().enumerate() {
            write_to(
                &mut path,
                format_args!("{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' }),
            );
        }
        write_to(
            svg,
            format_args!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2.2\" stroke-linejoin=\"round\"/>\n"
            ),
        );
        for (x, y) in line {
            let paper = self.colors.paper;
            write_to(
                svg,
                format_args!(
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.2\" fill=\"{color}\" stroke=\"{paper}\" stroke-width=\"1.4\"/>\n"
                ),
            );
        }
    }

    /// The names of the curves at the right, as near to their ends as other names let them.
    fn names(&self, svg: &mut String, chart: &Chart) {
        let ends = chart.curves.iter().enumerate();
        let mut ends: Vec<_> = ends
            .filter_map(|(i, curve)| Some((i, *self.line(curve).last()?)))
            .collect();
        ends.sort_by(|(_, a), (_, b)| a.1.total_cmp(&b.1));
        let places = spread(
            &ends.iter().map(|(_, (_, y))| *y).collect::<Vec<_>>(),
            LINE,
            TOP,
            BOTTOM,
        );
        for ((i, (x, y)), place) in ends.into_iter().zip(places) {
            let (color, name) = (self.color(i), escaped(&chart.curves[i].name));
            let (from, bend, to) = (x + 7.0, self.right + 10.0, self.right + 20.0);
            write_to(
                svg,
                format_args!(
                    "<path d=\"M{from:.1} {y:.1}H{bend:.1}L{to:.1} {place:.1}\" fill=\"none\" stroke=\"{color}\" \
                     stroke-opacity=\"0.45\"/>\n\
                     <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{color}\" font-weight=\"600\">{name}</text>\n",
                    to + 4.0,
                    place + 4.5
                ),
            );
        }
    }

    fn line(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let drawable = curve.frontier.iter().filter(|point| is_drawable(**point));
        drawable.map(|&point| self.place(point)).collect()
    }

    fn place(&self, (recall, qps): (f64, f64)) -> (f64, f64) {
        (self.recall.place(recall), self.qps.place(qps))
    }
}

/// Ascending places as near to `wanted` (ascending) as can be with `gap` between them, within the bounds if there is
/// room for all.
fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    let mut least = f64::NEG_INFINITY;
    for place in &mut places {
        *place = place.max(least).max(low);
        least = *place + gap;
    }
    let mut most = high;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - gap;
    }
    places
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // XML has no way to say the others.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn write_to(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            title: "a <b> & \"c\"".into(),
            caption: "machine\u{7}".into(),
            recall_label: "recall@10".into(),
            curves: vec![
                Curve {
                    name: "IVF".into(),
                    frontier: vec![(0.5, 20_000.0), (0.9, 4000.0), (1.0, 300.0)],
                    others: vec![(0.6, 3000.0), (0.7, f64::NAN), (2.0, 1000.0), (0.7, 0.01)],
                },
                Curve {
                    name: "Flat".into(),
                    frontier: vec![(1.0, 290.0)],
                    others: vec![],
                },
            ],
        }
    }

    #[test]
    fn a_long_caption_has_two_lines() {
        assert_eq!(wrapped("one; two; three", 20), ["one; two; three"]);
        assert_eq!(wrapped("one; two; three", 11), ["one; two; ", "three"]);
        assert_eq!(wrapped("일; 이; 삼", 4), ["일; ", "이; 삼"]);
        assert_eq!(wrapped("without a place to break", 5), ["without a place to break"]);
    }

    #[test]
    fn every_drawable_point_is_drawn_and_texts_are_escaped() {
        let svg = chart().to_svg(Theme::Light);
        assert_eq!(svg.matches("<circle").count(), 3 + 1 + 1);
        assert!(svg.contains("a &lt;b&gt; &amp; &quot;c&quot;") && svg.contains("machine "));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        let empty = Chart::default().to_svg(Theme::Dark);
        assert!(empty.contains("nothing was measured") && !empty.contains("NaN"));
    }

    #[test]
    fn points_lie_within_the_plot_better_ones_up_and_right() {
        let chart = chart();
        let frame = Frame::new(&chart, Theme::Light);
        let places: Vec<_> = chart.points().map(|point| frame.place(point)).collect();
        for (x, y) in &places {
            assert!(
                (LEFT..=frame.right).contains(x) && (TOP..=BOTTOM).contains(y),
                "{x} {y}"
            );
        }
        assert!(places[0].0 < places[1].0 && places[0].1 < places[1].1);
    }

    #[test]
    fn names_keep_their_distance() {
        let places = spread(&[10.0, 11.0, 12.0, 90.0, 100.0, 104.0], 10.0, 5.0, 100.0);
        assert!(
            places.windows(2).all(|pair| pair[1] - pair[0] >= 10.0 - 1e-9),
            "{places:?}"
        );
        assert!(places[0] >= 5.0 && places[5] <= 100.0);
        assert_eq!(spread(&[20.0, 50.0], 10.0, 0.0, 100.0), [20.0, 50.0]);
    }
}
