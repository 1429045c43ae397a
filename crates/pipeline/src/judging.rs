//! Evaluating a run at its test cut-off, which neither training nor early stopping saw, beside plain baselines and,
//! for a simulated shop, beside the best that any model could know.

use crate::baselines::{self, BuyTillYouDie};
use crate::dataset::{self, Labels, Outcome};
use crate::error::{Error, Result};
use crate::evaluation::{Answers, Evaluation, Judged, Role, Row, compare};
use crate::metrics_table::{MetricRow, OURS, metric_rows};
use crate::progress::Progress;
use crate::runs::{Plan, Run};
use crate::task::{Head, Task};
use crate::time::{date, now};
use crate::truth::Truth;
use analytics::metrics::NOT_RANKED;
use sequences::{Example, LabelledExample, Sequences};
use std::path::PathBuf;
use trainer::{Model, Predictions};
use warehouse::Warehouse;

/// What is judged, and against which truth.
#[derive(Clone, Debug, Default)]
pub struct EvaluateOptions {
    /// The run; the task's newest without it.
    pub run: Option<String>,
    /// Folder with a simulated shop's truth.
    pub truth: Option<PathBuf>,
}

/// Judges a run and appends what came out to `models.metrics`.
pub async fn evaluate(
    warehouse: &Warehouse,
    task: &Task,
    options: &EvaluateOptions,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    let run = Run::find(warehouse, &task.name, options.run.as_deref()).await?;
    let plan = &run.plan;
    let sequences = dataset::sequences(warehouse, plan.snapshot, progress).await?;
    let labels = dataset::labels(warehouse, plan.snapshot, &plan.task, &[plan.test]).await?;
    let truth = options.truth.as_deref().map(|folder| Truth::read(folder, plan)).transpose()?;
    progress.start(&format!("evaluate {}", task.name), None);
    let judge = Judge { warehouse, plan, sequences, labels, truth };
    let judged = judge.judged()?;
    let examples = judged.keys.len();
    let ours = {
        let model = run.model(warehouse).await?;
        tokio::task::block_in_place(|| answers(&model, &judge.sequences, &judged))?
    };
    let rows = judge.compare(&judged, &ours).await?;
    let evaluation = Evaluation {
        task: task.name.clone(),
        run_id: run.run_id.clone(),
        protocol: protocol(plan),
        as_of: date(plan.test),
        examples,
        rows,
    };
    let metrics: Vec<MetricRow> = evaluation.rows.iter().map(|row| MetricRow::test(&evaluation, row)).collect();
    let recorded_at = now();
    let transaction = format!("evaluate:{}:{recorded_at}", run.run_id);
    let tables = vec![("models.metrics", vec![metric_rows(&metrics, recorded_at)?])];
    warehouse.append(tables, &transaction, "evaluate").await?;
    progress.finish(&format!("{examples} customers"));
    Ok(evaluation)
}

fn protocol(plan: &Plan) -> String {
    let days = plan.task.horizon_days;
    match plan.task.head {
        Head::NextPurchase | Head::NextItem => {
            format!("time split, {days} days, buyers in the horizon, ranked against the whole catalogue, repeats count")
        }
        Head::Churn | Head::Clv => format!("time split, {days} days, every customer of the cut-off"),
    }
}

/// The test customers with everything that judges a model on them.
struct Judge<'a> {
    warehouse: &'a Warehouse,
    plan: &'a Plan,
    sequences: Sequences,
    labels: Labels,
    truth: Option<Truth>,
}

/// Who is judged, and what happened to each.
struct Judgement {
    keys: Vec<(String, i64)>,
    examples: Vec<LabelledExample>,
    actual: Actual,
}

enum Actual {
    Churned(Vec<bool>),
    Value(Vec<f64>),
    /// Product, and days to it.
    Next(Vec<String>, Vec<f64>),
}

/// What our model says of each.
enum Ours {
    Churn(Vec<f64>),
    Value(Vec<f64>),
    /// Rank of the product bought, and median days to the purchase where the model knows time.
    Next(Vec<u32>, Option<Vec<f64>>),
}

fn answers(model: &Model, sequences: &Sequences, judged: &Judgement) -> Result<Ours> {
    let examples: Vec<Example> = judged.examples.iter().map(|labelled| labelled.example.clone()).collect();
    Ok(match model.predict(sequences, &examples, 0) {
        Predictions::Churn(p) => Ours::Churn(p),
        Predictions::Value(values) => Ours::Value(values.iter().map(|value| value.expected).collect()),
        Predictions::NextPurchase(next) => {
            let ranks = model.rank_targets(sequences, &judged.examples, false)?;
            let ranks = ranks.into_iter().map(|rank| rank.unwrap_or(NOT_RANKED)).collect();
            Ours::Next(ranks, next.iter().map(|next| next.time.map(|time| time.median_days)).collect())
        }
    })
}

impl Judge<'_> {
    /// Everybody with a known label; for the next purchase, those who bought a known product in the horizon.
    fn judged(&self) -> Result<Judgement> {
        let length = crate::training::config(&self.plan.task)?.length();
        let all = self.labels.examples(&self.sequences, length)?;
        let outcomes = &self.labels.outcomes;
        let (keys, examples, actual) = match self.plan.task.head {
            Head::Churn => {
                let churned = outcomes.iter().map(|o| *o == Outcome::Churned(true)).collect();
                (self.labels.keys.clone(), all, Actual::Churned(churned))
            }
            Head::Clv => {
                let value = |o: &Outcome| if let Outcome::Value(value) = o { *value } else { 0.0 };
                (self.labels.keys.clone(), all, Actual::Value(outcomes.iter().map(value).collect()))
            }
            Head::NextPurchase | Head::NextItem => {
                let (mut keys, mut examples, mut products, mut days) = (vec![], vec![], vec![], vec![]);
                for ((key, example), outcome) in self.labels.keys.iter().zip(all).zip(outcomes) {
                    if let Outcome::Next { product: Some(product), days: Some(after) } = outcome {
                        keys.push(key.clone());
                        examples.push(example);
                        products.push(product.clone());
                        days.push(*after);
                    }
                }
                (keys, examples, Actual::Next(products, days))
            }
        };
        if keys.is_empty() {
            let problem = format!("nobody to judge at {}: no label is known in the test horizon", date(self.plan.test));
            return Err(Error::Task { task: self.plan.task.name.clone(), problem });
        }
        Ok(Judgement { keys, examples, actual })
    }

    async fn compare(&self, judged: &Judgement, ours: &Ours) -> Result<Vec<Row>> {
        match (&judged.actual, ours) {
            (Actual::Churned(churned), Ours::Churn(p)) => self.churn(judged, churned, p).await,
            (Actual::Value(actual), Ours::Value(predicted)) => self.value(judged, actual, predicted).await,
            (Actual::Next(products, days), Ours::Next(ranks, median)) => {
                self.next(judged, products, days, ranks, median.as_deref())
            }
            _ => {
                let problem = format!("the run's model does not predict {}", self.plan.task.head.name());
                Err(Error::Task { task: self.plan.task.name.clone(), problem })
            }
        }
    }

    async fn churn(&self, judged: &Judgement, churned: &[bool], ours: &[f64]) -> Result<Vec<Row>> {
        let judge = |name: &str, p: &[f64]| Judged::new(name, &[Answers::Labels(churned, p)]);
        let logistic = baselines::logistic(self.warehouse, self.plan, &self.labels).await?;
        let mut others = vec![(Role::Baseline, judge("logistic regression on RFM", &logistic)?)];
        for baseline in self.buy_till_you_die().await? {
            others.push((Role::Baseline, judge(baseline.name, &baseline.churn())?));
        }
        if let Some(truth) = &self.truth {
            others.push((Role::Attainable, judge(Truth::NAME, &truth.churn(&judged.keys)?)?));
        }
        compare(&judge(OURS, ours)?, &others)
    }

    async fn value(&self, judged: &Judgement, actual: &[f64], ours: &[f64]) -> Result<Vec<Row>> {
        let judge = |name: &str, predicted: &[f64]| Judged::new(name, &[Answers::Values(actual, predicted)]);
        let mut others = Vec::new();
        for baseline in self.buy_till_you_die().await? {
            others.push((Role::Baseline, judge(baseline.name, &baseline.value())?));
        }
        if let Some(truth) = &self.truth {
            others.push((Role::Attainable, judge(Truth::NAME, &truth.value(&judged.keys)?)?));
        }
        compare(&judge(OURS, ours)?, &others)
    }

    fn next(
        &self,
        judged: &Judgement,
        products: &[String],
        days: &[f64],
        ranks: &[u32],
        median: Option<&[f64]>,
    ) -> Result<Vec<Row>> {
        let when = median.map(|median| Answers::Days(days, median));
        let ours = Judged::new(OURS, &[Answers::Ranks(ranks)].into_iter().chain(when).collect::<Vec<_>>())?;
        let rules = baselines::product_rules(&self.sequences, &judged.keys, products);
        let typical = vec![middle(days); days.len()];
        let mut others = vec![
            (Role::Baseline, Judged::new("popularity", &[Answers::Ranks(&rules.popularity)])?),
            (Role::Baseline, Judged::new("last item, then popularity", &[Answers::Ranks(&rules.last_item)])?),
            (Role::Baseline, Judged::new("median of all (hindsight)", &[Answers::Days(days, &typical)])?),
        ];
        if let Some(truth) = &self.truth {
            let ranks = truth.ranks(&judged.keys, products)?;
            others.push((Role::Attainable, Judged::new(Truth::NAME, &[Answers::Ranks(&ranks)])?));
        }
        compare(&ours, &others)
    }

    /// Absent where nobody ever bought twice: then there is nothing to fit.
    async fn buy_till_you_die(&self) -> Result<Vec<BuyTillYouDie>> {
        match baselines::buy_till_you_die(self.warehouse, self.plan, &self.labels).await {
            Err(Error::Analytics(analytics::Error::NoRepeatPurchase { .. })) => Ok(Vec::new()),
            result => result,
        }
    }
}

/// The median of what happened: nobody could know it beforehand, so a hard baseline.
fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
