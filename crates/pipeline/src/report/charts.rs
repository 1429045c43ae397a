//! Charts as inline SVG.

use super::escaped;
use std::fmt::Write;

/// Lines with a dot at each point.
pub(super) struct Lines<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// What the line y = x means.
    pub(super) diagonal: Option<&'a str>,
    /// At most two, each with its points in the order in which they are joined.
    pub(super) series: Vec<(&'a str, Vec<(f64, f64)>)>,
    /// A vertical line, and what it is.
    pub(super) mark: Option<(f64, &'a str)>,
}

/// Two bars beside each other for each label.
pub(super) struct Bars<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) labels: Vec<String>,
    pub(super) series: [(&'a str, Vec<f64>); 2],
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 468.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 290.0;
/// So many steps an axis is cut into, roughly.
const STEPS: f64 = 5.0;

impl Lines<'_> {
    pub(super) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|(_, points)| points);
        let xs = points().map(|point| point.0).chain(self.mark.map(|(x, _)| x));
        let mut x = Axis::over(xs, LEFT, RIGHT);
        let mut y = Axis::over(points().map(|point| point.1), BOTTOM, TOP);
        if self.diagonal.is_some() {
            // On unequal axes the diagonal would not look like one.
            let both = || [x.low, x.high, y.low, y.high].into_iter();
            (x, y) = (Axis::over(both(), LEFT, RIGHT), Axis::over(both(), BOTTOM, TOP));
        }
        let mut body = grid(&y);
        for tick in x.ticks() {
            text(&mut body, x.at(tick), BOTTOM + 18.0, "middle", &label(tick));
        }
        if self.diagonal.is_some() {
            line(&mut body, (x.at(x.low), y.at(y.low)), (x.at(x.high), y.at(y.high)), "reference");
        }
        if let Some((at, what)) = self.mark {
            line(&mut body, (x.at(at), BOTTOM), (x.at(at), TOP), "reference");
            text(&mut body, x.at(at) - 4.0, TOP + 12.0, "end", what);
        }
        for (number, (_, points)) in self.series.iter().enumerate() {
            let places: Vec<(f64, f64)> = points.iter().map(|point| (x.at(point.0), y.at(point.1))).collect();
            let joined: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(body, "<polyline class=\"line s{number}\" points=\"{}\"/>", joined.join(" "));
            for (x, y) in places {
                let _ = writeln!(body, "<circle class=\"fill s{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
            }
        }
        let names: Vec<&str> = self.series.iter().map(|(name, _)| *name).collect();
        figure(self.title, self.x, self.y, &(legend(&names, self.diagonal) + &body))
    }
}

impl Bars<'_> {
    pub(super) fn svg(&self) -> String {
        let values = self.series.iter().flat_map(|(_, values)| values.iter().copied());
        let y = Axis::over(values.chain([0.0]), BOTTOM, TOP);
        let step = (RIGHT - LEFT) / self.labels.len().max(1) as f64;
        let wide = step * 0.38;
        let mut body = grid(&y);
        for (place, name) in self.labels.iter().enumerate() {
            let middle = LEFT + step * (place as f64 + 0.5);
            text(&mut body, middle, BOTTOM + 18.0, "middle", name);
            for (number, (_, values)) in self.series.iter().enumerate() {
                let Some(&value) = values.get(place) else { continue };
                let (left, top) = (middle - wide + wide * number as f64, y.at(value.max(0.0)));
                let high = (y.at(0.0) - y.at(value)).abs();
                let _ = writeln!(
                    body,
                    "<rect class=\"fill s{number}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\"/>"
                );
            }
        }
        let names = self.series.each_ref().map(|(name, _)| *name);
        figure(self.title, self.x, self.y, &(legend(&names, None) + &body))
    }
}

/// Values laid along pixels.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// From a tick at or below the least value to one at or above the largest.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Axis {
        let (least, largest) = values.fold((f64::MAX, f64::MIN), |(least, largest), v| (least.min(v), largest.max(v)));
        let (least, largest) = match largest - least {
            spread if spread > 0.0 => (least, largest),
            0.0 => (least - 0.5, largest + 0.5),
            _ => (0.0, 1.0),
        };
        let rough = (largest - least) / STEPS;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(rough);
        // A value on a tick, give or take a rounding error, ends the axis there.
        let (low, high) = ((least / step + 1e-9).floor() * step, (largest / step - 1e-9).ceil() * step);
        Axis { low, high, step, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, step) = ((self.low / self.step).round(), self.step);
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(move |tick| (first + tick as f64) * step)
    }
}

fn grid(y: &Axis) -> String {
    let mut body = String::new();
    for tick in y.ticks() {
        line(&mut body, (LEFT, y.at(tick)), (RIGHT, y.at(tick)), "grid");
        text(&mut body, LEFT - 6.0, y.at(tick) + 4.0, "end", &label(tick));
    }
    body
}

/// Up to four decimals, none that say nothing.
fn label(tick: f64) -> String {
    let text = format!("{tick:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

fn legend(names: &[&str], reference: Option<&str>) -> String {
    let mut body = String::new();
    let mut left = LEFT;
    for (number, name) in names.iter().enumerate() {
        let _ = writeln!(body, "<rect class=\"fill s{number}\" x=\"{left}\" y=\"10\" width=\"12\" height=\"12\"/>");
        text(&mut body, left + 17.0, 20.0, "start", name);
        left += 40.0 + 7.0 * name.len() as f64;
    }
    if let Some(name) = reference {
        line(&mut body, (left, 16.0), (left + 24.0, 16.0), "reference");
        text(&mut body, left + 29.0, 20.0, "start", name);
    }
    body
}

fn line(body: &mut String, from: (f64, f64), to: (f64, f64), class: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(body, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(body, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

fn figure(title: &str, x: &str, y: &str, body: &str) -> String {
    let (title, middle) = (escaped(title), (TOP + BOTTOM) / 2.0);
    let mut axes = String::new();
    text(&mut axes, (LEFT + RIGHT) / 2.0, HEIGHT - 12.0, "middle", x);
    let _ = writeln!(
        axes,
        "<text x=\"14\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {middle})\">{}</text>",
        escaped(y)
    );
    format!(
        "<figure>\n<figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title}\">\n{body}{axes}</svg>\n</figure>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(values: &[f64]) -> (String, String, usize) {
        let axis = Axis::over(values.iter().copied(), 0.0, 100.0);
        (label(axis.low), label(axis.high), axis.ticks().count())
    }

    #[test]
    fn axes_end_at_round_numbers_around_the_values() {
        assert_eq!(ends(&[0.0, 1.0]), ("0".into(), "1".into(), 6));
        assert_eq!(ends(&[0.46, 0.61]), ("0.45".into(), "0.65".into(), 5));
        assert_eq!(ends(&[-3.0, 812.0]), ("-200".into(), "1000".into(), 7));
        assert_eq!(ends(&[7.0, 7.0]), ("6.4".into(), "7.6".into(), 7));
        assert_eq!(ends(&[]), ("0".into(), "1".into(), 6));
    }

    #[test]
    fn values_lie_between_the_ends() {
        let axis = Axis::over([0.0, 10.0].into_iter(), 290.0, 34.0);
        assert_eq!((axis.at(0.0), axis.at(5.0), axis.at(10.0)), (290.0, 162.0, 34.0));
    }

    /// A bar of −1 hangs below the zero line, as high as one of 1 stands above it.
    #[test]
    fn bars_hang_below_zero() {
        let bars = Bars {
            title: "t",
            x: "x",
            y: "y",
            labels: vec!["1".into()],
            series: [("up", vec![1.0]), ("down", vec![-1.0])],
        };
        let svg = bars.svg();
        let rects: Vec<&str> =
            svg.lines().filter(|line| line.starts_with("<rect") && line.contains("width=\"152.0\"")).collect();
        assert!(rects[0].contains("y=\"34.0\"") && rects[0].contains("height=\"128.0\""), "{rects:?}");
        assert!(rects[1].contains("y=\"162.0\"") && rects[1].contains("height=\"128.0\""), "{rects:?}");
    }
}
