//! What a model has made of customers and products.

use super::*;

/// Of a next-item model; one of next purchases mixes that with its memory.
#[test]
fn embeddings_score_products_as_predictions_do() {
    let (shop, folder) = (purchase_shop(), TempDir::new().unwrap());
    run(&config(Head::NextItem, |_, training| training.epochs = 3), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let (examples, width) = (shop.examples(), model.config().width());
    let customers = model.embeddings(&shop.sequences, &examples).unwrap();
    let products = model.product_embeddings();
    assert_eq!((customers.len(), products.len()), (examples.len() * width, model.products().len() * width));
    let Predictions::NextPurchase(predicted) = model.predict(&shop.sequences, &examples, 5).unwrap() else {
        panic!("no purchases")
    };
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    for (customer, predicted) in customers.chunks(width).zip(&predicted) {
        let scores: Vec<f64> = products.chunks(width).map(|product| dot(customer, product)).collect();
        let all: f64 = scores.iter().map(|score| score.exp()).sum();
        assert_eq!(predicted.products.len(), scores.len());
        for (place, p) in &predicted.products {
            let by_hand = scores[*place].exp() / all;
            assert!((p - by_hand).abs() < 1e-5, "{p} is not {by_hand}");
        }
    }
    // Alone as in company.
    for (row, example) in examples.iter().enumerate() {
        let alone = model.embeddings(&shop.sequences, std::slice::from_ref(example)).unwrap();
        let together = &customers[row * width..][..width];
        assert!(alone.iter().zip(together).all(|(a, b)| (a - b).abs() < 1e-5), "{alone:?} and {together:?}");
    }
}

#[test]
fn equal_histories_have_equal_embeddings() {
    let (shop, folder) = (churn_shop(), TempDir::new().unwrap());
    run(&config(Head::Churn, |_, training| training.epochs = 2), shop.dataset(), folder.path()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    let histories = [[300, 350], [300, 350], [300, 390]];
    let rows: Vec<Row> = (0..)
        .zip(histories)
        .flat_map(|(i, days)| days.map(|day| (format!("c{i}"), day, "purchase", Some("p1".to_owned()), 9.0)))
        .collect();
    let sequences = build(&rows);
    let examples: Vec<Example> = (0..3).map(|c| Example::at(&sequences, c, CUT_OFF, LENGTH)).collect();
    let embeddings = model.embeddings(&sequences, &examples).unwrap();
    let rows: Vec<&[f32]> = embeddings.chunks(model.config().width()).collect();
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart(rows[0], rows[1]) < 1e-6 && apart(rows[0], rows[2]) > 0.1, "{rows:?}");
    assert_eq!(model.embeddings(&sequences, &[]).unwrap(), [] as [f32; 0]);
}
