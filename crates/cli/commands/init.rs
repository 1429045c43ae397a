use crate::context::{Context, environment};
use crate::print;
use anyhow::Result;
use clap::Args;

/// Make a new warehouse in a folder or bucket.
#[derive(Args)]
#[command(after_help = "Examples:\n  perennial init ./shop\n  perennial init s3://bucket/shop --buckets 64")]
pub struct Arguments {
    /// Root of the warehouse: a folder or a URL (s3://, gs://, az://).
    #[arg(value_name = "URL")]
    url: String,
    /// Into how many buckets customers are spread; fixed for good, because changing it rewrites everything.
    #[arg(long, default_value_t = pipeline::DEFAULT_BUCKETS, value_parser = clap::value_parser!(u32).range(1..=4096))]
    buckets: u32,
}

pub async fn run(arguments: Arguments, _context: &Context) -> Result<()> {
    let Arguments { url, buckets } = arguments;
    pipeline::init(&url, buckets, environment()).await?;
    print::line(&format!("warehouse {url} with {buckets} buckets; next: perennial load raw.<source>_<thing> <files>"))
}
