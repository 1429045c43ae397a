//! The soak: the test of that name, for many rounds.

use crate::{Outcome, cargo, run};
use std::path::Path;

const ROUNDS: &str = "300";

pub(crate) fn soak(workspace: &Path, arguments: &[String]) -> Outcome {
    let rounds = match arguments {
        [] => ROUNDS,
        [name, rounds] if name == "--rounds" && rounds.parse::<u32>().is_ok() => rounds,
        _ => return Err("soak takes --rounds N".into()),
    };
    let test = ["test", "--test", "perennial", "soak::soak", "--", "--nocapture"];
    run(cargo(workspace).args(test).env("PERENNIAL_SOAK_ROUNDS", rounds))
}
