//! A picture as SVG text: a few shapes, and one style sheet that is legible on light and dark pages.

use std::fmt::Write;

/// Colors stand in `color` alone, which all shapes take theirs from: one class says what a shape is, another
/// whose it is. Who looks at the picture by itself gets a background too.
const LIGHT: &str = "
  svg { color: #1f2933 }
  .background { color: #ffffff }
  .quiet { color: #5f6b7a }
  .grid { color: #e4e8ed }
  .ours { color: #d9480f }
  .raw { color: #495057 }
  .c1 { color: #1971c2 }
  .c2 { color: #0b8a6c }
  .c3 { color: #7048e8 }
  .c4 { color: #c2255c }
  .c5 { color: #946c00 }
  .c6 { color: #0c8599 }
";

const DARK: &str = "
  svg { color: #e6edf3 }
  .background { color: #0d1117 }
  .quiet { color: #9aa7b4 }
  .grid { color: #262e38 }
  .ours { color: #ff8c42 }
  .raw { color: #b6bec7 }
  .c1 { color: #58a6ff }
  .c2 { color: #3fcf9f }
  .c3 { color: #b197fc }
  .c4 { color: #f783ac }
  .c5 { color: #e3b341 }
  .c6 { color: #4dd0e1 }
";

const SHAPES: &str = "
  text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 13px; fill: currentColor }
  .title { font-size: 17px; font-weight: 600 }
  .small { font-size: 12px }
  .strong { font-weight: 600 }
  .middle { text-anchor: middle }
  .end { text-anchor: end }
  line, path { stroke: currentColor; stroke-width: 1px; fill: none }
  .curve { stroke-width: 2px; stroke-linejoin: round; stroke-linecap: round }
  .bold { stroke-width: 3px }
  .dashed { stroke-dasharray: 3 5 }
  rect, circle { fill: currentColor }
  .faint { opacity: 0.22 }
  .soft { opacity: 0.6 }
";

/// Coordinates are pixels from the upper left corner. A shape's classes are those of the style sheet: a
/// color (`ours`, `raw`, `c1` to `c6`, `quiet`, `grid`; none is that of text), and what it says of the kind of shape.
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    /// An empty picture; `title` and `description` are for those who cannot see it.
    pub(crate) fn new(width: u32, height: u32, title: &str, description: &str) -> Svg {
        let mut svg = Svg { text: String::new() };
        let (title, description) = (escaped(title), escaped(description));
        svg.push(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<title>{title}</title>\n<desc>{description}</desc>\n<style>{LIGHT}{SHAPES}\
             @media (prefers-color-scheme: dark) {{{DARK}}}\n</style>"
        ));
        svg.rect((0.0, 0.0), (f64::from(width), f64::from(height)), "background");
        svg
    }

    /// Text that begins at `(x, y)`; with the class `middle` or `end`, whose middle or end is there.
    pub(crate) fn text(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        let text = escaped(text);
        self.push(format_args!(r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#));
    }

    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        self.push(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#
        ));
    }

    /// Straight lines from point to point.
    pub(crate) fn curve(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let path = points.join(" L ");
        self.push(format_args!(r#"<path d="M {path}" class="curve {class}"/>"#));
    }

    pub(crate) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        self.push(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="{class}"/>"#
        ));
    }

    pub(crate) fn circle(&mut self, (x, y): (f64, f64), radius: f64, class: &str) {
        self.push(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" class="{class}"/>"#
        ));
    }

    /// The whole file.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{element}").expect("a string takes all that is written to it");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut svg = Svg::new(10, 10, "a < b", "\"c\" & d");
        svg.text((1.0, 2.0), "small", "<svg>");
        let svg = svg.finish();
        assert!(svg.contains("<title>a &lt; b</title>"));
        assert!(svg.contains("<desc>&quot;c&quot; &amp; d</desc>"));
        assert!(svg.contains(r#"<text x="1.0" y="2.0" class="small">&lt;svg&gt;</text>"#));
    }

    #[test]
    fn dark_has_a_color_wherever_light_has_one() {
        let classes = |sheet: &'static str| -> Vec<&str> {
            sheet.lines().filter_map(|line| line.split_once('{')).map(|(class, _)| class).collect()
        };
        assert_eq!(classes(LIGHT), classes(DARK));
    }
}
