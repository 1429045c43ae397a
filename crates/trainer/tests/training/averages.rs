//! Averages of the weights over the steps.

use super::*;

/// Averages are other weights than the last step's; a checkpoint that knows none has none to go on with.
#[test]
fn averaged_weights_are_judged_and_kept() {
    let shop = churn_shop();
    let folders = [(); 2].map(|()| TempDir::new().unwrap());
    let [plain, averaged] = [0.0, 0.95].map(|ema| config(Head::Churn, |_, training| training.ema = ema));
    let last = run(&plain, shop.dataset(), folders[0].path()).unwrap();
    let mean = run(&averaged, shop.dataset(), folders[1].path()).unwrap();
    assert!(last_metric(&mean, "auc") > 0.95, "{mean:?}");
    // The steps are the same, so the losses of the first epoch's training are; what is validated is not.
    assert_eq!(last.history[0].train_loss, mean.history[0].train_loss);
    assert_ne!(last.history[0].valid_loss, mean.history[0].valid_loss);
    let [last, mean] = folders.each_ref().map(|folder| bytes(folder.path(), "checkpoint.safetensors"));
    let holds = |file: &[u8]| file.windows(9).any(|part| part == b"\"average\"");
    assert!(!holds(&last) && holds(&mean));

    // A run that was begun without `ema`, by an older version or not, goes on without it.
    let config_file = folders[0].path().join("config.toml");
    let text = std::fs::read_to_string(&config_file).unwrap();
    assert!(text.contains("ema = 0.0\n"));
    std::fs::write(&config_file, text.replace("ema = 0.0\n", "")).unwrap();
    let interrupted = AtomicBool::new(false);
    let resume = |config: &Config| {
        let options = TrainOptions { resume: true, earlier: None, progress: &mut |_| (), interrupted: &interrupted };
        train(config, shop.dataset(), folders[0].path(), options)
    };
    resume(&plain).unwrap();
    let message = resume(&averaged).unwrap_err().to_string();
    assert!(message.contains("training.ema = 0.0, now it is 0.95"), "{message}");
}
