//! What texts say, in Chinese and English and mixed: [`classify`] learns labels (sentiment, say) from those that are given,
//! [`topics`] finds what is spoken of. Both see a text as the bag of its [`words`], which is what a few hundred short texts
//! are enough for, and can show the words that an answer rests on; of word order they know no more than pairs of words.

mod classes;
mod lbfgs;
mod nmf;
mod singular;
mod softmax;
mod terms;
mod topics;
mod words;

pub use classes::{Class, ClassSettings, classify};
pub use topics::{Topic, TopicSettings, Topics, topics};
pub use words::words;
