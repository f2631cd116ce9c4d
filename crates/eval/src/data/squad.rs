//! SQuAD, versions 1.1 and 2.0.

use super::{Records, whole};
use crate::EvalError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    #[serde(default)]
    title: String,
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    id: String,
    question: String,
    #[serde(default)]
    answers: Vec<Answer>,
    #[serde(default)]
    is_impossible: bool,
}

#[derive(Deserialize)]
struct Answer {
    text: String,
    answer_start: u64,
}

/// One record a question, answers as lists under one name, as the hub's data sets have them.
pub fn open(path: &Path) -> Result<Records, EvalError> {
    let file: File = whole(path)?;
    Ok(Box::new(file.data.into_iter().flat_map(|article| {
        let title = article.title;
        article.paragraphs.into_iter().flat_map(move |paragraph| {
            let (title, context) = (title.clone(), paragraph.context);
            paragraph.qas.into_iter().map(move |question| Ok(record(&title, &context, question)))
        })
    })))
}

fn record(title: &str, context: &str, question: Question) -> Value {
    let (texts, starts): (Vec<_>, Vec<_>) = question.answers.into_iter().map(|a| (a.text, a.answer_start)).unzip();
    json!({
        "id": question.id,
        "title": title,
        "context": context,
        "question": question.question,
        "answers": { "text": texts, "answer_start": starts },
        "is_impossible": question.is_impossible,
    })
}
