//! What models read of customers, part by part in the order of their ids: memory holds so many customers at once, however many
//! there are.

use super::Stamp;
use crate::buying::{self, BUYING};
use crate::columns::Rows;
use crate::dataset::{self, TIMELINE};
use crate::error::Result;
use crate::features::Features;
use crate::runs::Plan;
use analytics::btyd::Summary;
use arrow::array::RecordBatch;
use futures::TryStreamExt;
use sequences::{Sequences, SequencesBuilder};
use std::collections::{BTreeSet, HashMap};
use warehouse::{Batches, Session, Spine, Warehouse};

/// Some customers with all that models read of them.
pub(super) struct Part {
    pub(super) keys: Vec<(String, i64)>,
    pub(super) sequences: Sequences,
    features: HashMap<String, Features>,
    /// What a prior reads; empty where no plan has one.
    summaries: Vec<Option<Summary>>,
}

impl Part {
    /// What a model of a plan reads beside events, by these names.
    pub(super) fn features(&self, plan: &Plan, names: &[String]) -> Result<Features> {
        let own = plan.task.features.as_ref().and_then(|view| self.features.get(view));
        let prior = plan.prior.as_ref().map(|prior| prior.says(&plan.task, &self.summaries, plan.task.horizon_days));
        let prior = prior.transpose()?;
        let parts: Vec<&Features> = own.into_iter().chain(&prior).collect();
        Features::select(&parts, names)
    }
}

/// The customers of a cut-off, of whom each part is read when it is asked for.
pub(super) struct Parts {
    keys: Ordered,
    timeline: Ordered,
    views: Vec<(String, Ordered)>,
    /// Where a plan has a prior.
    buying: Option<Ordered>,
    /// How many customers a part has.
    size: usize,
}

impl Parts {
    /// All that models of these plans read.
    pub(super) async fn open(warehouse: &Warehouse, stamp: &Stamp, plans: &[&Plan], size: usize) -> Result<Parts> {
        let open = async |what: &str, query: &str| {
            let spine = dataset::cut_offs(&[stamp.as_of]);
            Ordered::open(dataset::session(warehouse, stamp.snapshot, spine, None).await?, what, query).await
        };
        let by_customer = |view: &str| format!("SELECT * FROM {view} ORDER BY customer_id");
        let views: BTreeSet<&String> = plans.iter().filter_map(|plan| plan.task.features.as_ref()).collect();
        let mut opened = Vec::new();
        for view in views {
            opened.push((view.clone(), open(view, &by_customer(view)).await?));
        }
        let has_prior = plans.iter().any(|plan| plan.prior.is_some());
        let timeline = dataset::session(warehouse, stamp.snapshot, Spine::Default, None).await?;
        Ok(Parts {
            keys: open("spine", "SELECT customer_id, as_of FROM spine ORDER BY customer_id").await?,
            timeline: Ordered::open(timeline, "core.timeline", TIMELINE).await?,
            views: opened,
            buying: if has_prior { Some(open(BUYING, &by_customer(BUYING)).await?) } else { None },
            size,
        })
    }

    /// The next customers; None after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Part>> {
        let keys = self.keys.take(self.size).await?.keys()?;
        let Some((last, _)) = keys.last() else { return Ok(None) };
        let mut builder = SequencesBuilder::new();
        for batch in self.timeline.up_to(last).await?.batches {
            builder.push(&batch)?;
        }
        let mut features = HashMap::new();
        for (view, rows) in &mut self.views {
            let rows = rows.up_to(last).await?;
            features.insert(view.clone(), Features::of_rows(rows, &keys)?);
        }
        let summaries = match &mut self.buying {
            Some(rows) => buying::of_keys(&rows.up_to(last).await?, &keys)?,
            None => Vec::new(),
        };
        Ok(Some(Part { keys, sequences: builder.finish(), features, summaries }))
    }
}

/// Rows of a query in the order of customers.
struct Ordered {
    what: String,
    stream: Batches,
    /// Read already, and of a later part.
    rest: Option<RecordBatch>,
    /// No row, for its columns.
    empty: RecordBatch,
}

impl Ordered {
    async fn open(session: Session, what: &str, query: &str) -> Result<Ordered> {
        let query = session.sql(query).await?;
        let empty = RecordBatch::new_empty(query.schema());
        Ok(Ordered { what: what.into(), stream: query.stream().await?, rest: None, empty })
    }

    /// The next rows, so many or all that are left.
    async fn take(&mut self, count: usize) -> Result<Rows> {
        let mut left = count;
        self.take_while(|batch| {
            let taken = batch.num_rows().min(left);
            left -= taken;
            Ok(taken)
        })
        .await
    }

    /// The next rows of customers up to this one.
    async fn up_to(&mut self, last: &str) -> Result<Rows> {
        self.take_while(|batch| {
            let rows = Rows { what: String::new(), batches: vec![batch.clone()] };
            let customers = rows.texts("customer_id")?;
            Ok(customers.partition_point(|customer| customer.as_deref().is_none_or(|customer| customer <= last)))
        })
        .await
    }

    /// The next rows, of each batch as many as `count` says, until that is not all of one.
    async fn take_while(&mut self, mut count: impl FnMut(&RecordBatch) -> Result<usize>) -> Result<Rows> {
        let mut batches = vec![self.empty.clone()];
        loop {
            let next = match self.rest.take() {
                Some(batch) => Some(batch),
                None => self.stream.try_next().await?,
            };
            let Some(batch) = next else { break };
            let (taken, rows) = (count(&batch)?, batch.num_rows());
            batches.push(batch.slice(0, taken));
            if taken < rows {
                self.rest = Some(batch.slice(taken, rows - taken));
                break;
            }
        }
        Ok(Rows { what: self.what.clone(), batches })
    }
}
