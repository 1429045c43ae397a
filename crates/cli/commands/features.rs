use crate::context::{Context, Place};
use crate::print;
use anyhow::{Result, bail};
use clap::Args;
use pipeline::{Every, Spine, parse_time};
use std::path::PathBuf;

/// Compute every customer's features at one or many cut-offs; with a horizon also the labels, as a training set for
/// anyone's model. No feature sees anything at or after its cut-off.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial features --as-of 2024-10-01 --out features.parquet\n  perennial features --from 2024-01-01 --to 2024-10-01 --every month --horizon 90 --out training.parquet"
)]
pub struct Arguments {
    #[command(flatten)]
    spine: SpineArguments,
    /// Write to a .parquet, .csv or .json file, whole or not at all; print without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Which customers at which cut-offs.
#[derive(Args)]
pub struct SpineArguments {
    /// The cut-off of `spine`, a date or time (UTC): features, labels and what else reads `spine` see only what happened
    /// and was known before it. Other tables and views stay whole. By default just after everything loaded.
    #[arg(long, value_name = "DATE", conflicts_with_all = ["from", "to", "spine"])]
    as_of: Option<String>,
    /// First of several cut-offs.
    #[arg(long, value_name = "DATE", requires = "to")]
    from: Option<String>,
    /// Last of several cut-offs.
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<String>,
    /// Step between cut-offs: day, week, month, or a number of days.
    #[arg(long, default_value = "month")]
    every: String,
    /// A .csv or .parquet file with customer_id and as_of.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    spine: Option<PathBuf>,
    /// Days that labels look ahead.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    horizon: Option<u32>,
}

impl SpineArguments {
    /// The spine and, where given, the horizon in days.
    pub fn parse(self) -> Result<(Spine, Option<u32>)> {
        let SpineArguments { as_of, from, to, every, spine, horizon } = self;
        let every = match every.as_str() {
            "day" => Every::Days(1),
            "week" => Every::Days(7),
            "month" => Every::Months(1),
            other => match other.parse() {
                Ok(days) if days > 0 => Every::Days(days),
                _ => bail!("--every {other}: expected day, week, month or a number of days"),
            },
        };
        let spine = match (as_of, from, to, spine) {
            (Some(as_of), ..) => Spine::AsOf(parse_time(&as_of)?),
            (_, Some(from), Some(to), _) => Spine::Range { from: parse_time(&from)?, to: parse_time(&to)?, every },
            (_, _, _, Some(file)) => Spine::File(file),
            _ => Spine::Default,
        };
        Ok((spine, horizon))
    }
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { spine, out, place } = arguments;
    let warehouse = context.open(&place).await?;
    let (spine, horizon_days) = spine.parse()?;
    let options = pipeline::SqlOptions { spine, horizon_days, ..Default::default() };
    match out {
        Some(out) => {
            let rows = pipeline::features_to_file(&warehouse, &options, &out, &context.progress()).await?;
            print::line(&format!("{rows} rows in {}", out.display()))
        }
        None => print::batches(&pipeline::features(&warehouse, &options).await?.collect().await?),
    }
}
