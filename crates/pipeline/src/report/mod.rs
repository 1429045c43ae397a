//! An evaluation as one HTML page that needs nothing beside itself: no script, no font, no picture from elsewhere, so that
//! it can be mailed and still be read in ten years. Charts are inline SVG drawn here, because a chart library would be
//! larger than all of this crate.

mod charts;
mod tables;

use crate::error::Result;
use crate::evaluation::{Decile, Evaluation};
use crate::learning::Learning;
use charts::{Bars, Lines};
use std::path::Path;
use warehouse::replace_file;

pub use tables::{Table, number};

/// Writes the page, whole or not at all, over what was there.
pub(crate) fn write_report(evaluation: &Evaluation, file: &Path) -> Result<()> {
    Ok(replace_file(file, page(evaluation).as_bytes())?)
}

const STYLE: &str = include_str!("report.css");

fn page(evaluation: &Evaluation) -> String {
    let Evaluation { task, run_id, protocol, as_of, examples, deciles, shown, learning, .. } = evaluation;
    let title = format!("{task}, judged at {as_of}");
    let facts = format!("Run {run_id}; {protocol}; {examples} customers.");
    let texts = [
        Some(facts),
        learning.as_ref().map(|learning| format!("Training: {learning}.")),
        shown.as_ref().map(|shown| format!("Lists: {shown}.")),
    ];
    let texts: String = texts.iter().flatten().map(|text| format!("<p>{}</p>\n", escaped(text))).collect();
    let charts: String = charts(deciles, learning.as_ref()).concat();
    let tables = [
        ("Metrics with their 95 % intervals", evaluation.metrics()),
        ("Deciles of the predictions", evaluation.deciles()),
        ("Parts of the customers, beside the best baseline of each", evaluation.slices()),
    ];
    let [metrics, rest @ ..] = tables.map(|(title, table)| section(title, &table));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{texts}{metrics}<div class=\"charts\">\n{charts}</div>\n\
         {}</body>\n</html>\n",
        rest.concat(),
        title = escaped(&title),
    )
}

fn charts(deciles: &[Decile], learning: Option<&Learning>) -> Vec<String> {
    let mut charts = Vec::new();
    if !deciles.is_empty() {
        charts.extend([calibration(deciles), gains(deciles), bars(deciles)]);
    }
    charts.extend(learning.map(losses));
    charts
}

fn calibration(deciles: &[Decile]) -> String {
    Lines {
        title: "Calibration: what happened beside what was predicted",
        x: "mean predicted of a decile",
        y: "mean actual",
        diagonal: Some("as predicted"),
        series: vec![("deciles", deciles.iter().map(|d| (d.mean_predicted, d.mean_actual)).collect())],
        mark: None,
    }
    .svg()
}

fn gains(deciles: &[Decile]) -> String {
    let customers: usize = deciles.iter().map(|decile| decile.customers).sum();
    let mut called = 0;
    let point = |decile: &Decile| {
        called += decile.customers;
        decile.gains.map(|gains| (called as f64 / customers as f64, gains))
    };
    let points = std::iter::once((0.0, 0.0)).chain(deciles.iter().filter_map(point)).collect();
    Lines {
        title: "Gains: what the customers called first hold",
        x: "share of customers, highest predictions first",
        y: "share of the actual total",
        diagonal: Some("in any order"),
        series: vec![("by prediction", points)],
        mark: None,
    }
    .svg()
}

fn bars(deciles: &[Decile]) -> String {
    let of = |value: fn(&Decile) -> f64| deciles.iter().map(value).collect();
    Bars {
        title: "Deciles: mean predicted and mean actual",
        x: "decile of the prediction, 1 the highest",
        y: "mean",
        labels: deciles.iter().map(|decile| decile.decile.to_string()).collect(),
        series: [("predicted", of(|decile| decile.mean_predicted)), ("actual", of(|decile| decile.mean_actual))],
    }
    .svg()
}

fn losses(learning: &Learning) -> String {
    let of = |loss: fn(&crate::learning::Epoch) -> f64| {
        learning.epochs.iter().map(|epoch| (epoch.epoch as f64, loss(epoch))).collect()
    };
    Lines {
        title: "Learning curves",
        x: "epoch",
        y: "loss",
        diagonal: None,
        series: vec![("training", of(|epoch| epoch.train_loss)), ("validation", of(|epoch| epoch.valid_loss))],
        mark: Some((learning.best_epoch as f64, "best")),
    }
    .svg()
}

fn section(title: &str, table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let cells = |cells: &mut dyn Iterator<Item = &str>, tag: &str| -> String {
        let class = |cell: &str| match cell {
            "ours is better" | "reached" => " class=\"better\"",
            "ours is worse" => " class=\"worse\"",
            cell if Table::is_number(cell) => " class=\"number\"",
            _ => "",
        };
        cells.map(|cell| format!("<{tag}{}>{}</{tag}>", class(cell), escaped(cell))).collect()
    };
    let head = cells(&mut table.header.iter().copied(), "th");
    let rows = table.rows.iter().map(|row| format!("<tr>{}</tr>\n", cells(&mut row.iter().map(String::as_str), "td")));
    let rows: String = rows.collect();
    format!("<h2>{}</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n", escaped(title))
}

/// Text as it may stand in HTML, between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Interval, Row};

    fn evaluation() -> Evaluation {
        let interval = Interval { estimate: 0.5, low: 0.25, high: 0.75 };
        let row = |model: &str, verdict: &str| Row {
            metric: "auc".into(),
            model: model.into(),
            higher_is_better: true,
            value: interval,
            difference: (!verdict.is_empty()).then_some(interval),
            verdict: verdict.into(),
        };
        let actual: Vec<f64> = (0..40).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
        let predicted: Vec<f64> = (0..40).map(|i| f64::from(i) / 40.0).collect();
        let deciles = analytics::deciles::deciles(&actual, &predicted).unwrap();
        let epoch = |epoch, loss| trainer::EpochMetrics {
            epoch,
            train_loss: loss,
            valid_loss: loss + 0.1,
            metrics: Default::default(),
        };
        Evaluation {
            task: "mine <b> & \"yours\"".into(),
            run_id: "r".into(),
            protocol: "time split".into(),
            as_of: "2024-10-01".into(),
            examples: 40,
            rows: vec![row("perennial", ""), row("a < b", "ours is better")],
            deciles: deciles.into_iter().map(Decile::from).collect(),
            shown: None,
            slices: Vec::new(),
            learning: Learning::new(2, &[epoch(1, 0.7), epoch(2, 0.5)]),
        }
    }

    /// Every opened element is closed, in order: what a browser would repair in silence.
    fn must_be_well_formed(page: &str) {
        let mut open: Vec<&str> = Vec::new();
        for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let name = tag.split([' ', '/']).next().unwrap();
            match tag {
                tag if tag.starts_with('!') || name == "meta" || tag.ends_with('/') => {}
                tag if tag.starts_with('/') => assert_eq!(open.pop(), Some(&tag[1..]), "{tag}"),
                _ => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn a_page_holds_tables_and_charts_and_nothing_from_elsewhere() {
        let page = page(&evaluation());
        must_be_well_formed(&page);
        assert_eq!(page.matches("<svg").count(), 4);
        assert_eq!(page.matches("<table>").count(), 2, "no slices were asked for");
        assert!(page.contains("<title>mine &lt;b&gt; &amp; &quot;yours&quot;, judged at 2024-10-01</title>"), "{page}");
        assert!(page.contains("<td class=\"number\">0.5000 [0.2500, 0.7500]</td>"), "{page}");
        assert!(page.contains("<td>a &lt; b</td>") && page.contains("class=\"better\">ours is better"), "{page}");
        assert!(page.contains("Training: epoch 2 of 2 is the best"), "{page}");
        for foreign in ["<script", "http:", "https:", "url(", "@import", "NaN", "inf"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        let bare = Evaluation { deciles: Vec::new(), learning: None, ..evaluation() };
        let page = page(&bare);
        must_be_well_formed(&page);
        assert!(!page.contains("<svg") && page.matches("<table>").count() == 1);
    }

    #[test]
    fn a_page_is_written_over_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        std::fs::write(&file, "old").unwrap();
        write_report(&evaluation(), &file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), page(&evaluation()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(write_report(&evaluation(), &folder.path().join("none/report.html")).is_err());
    }
}
