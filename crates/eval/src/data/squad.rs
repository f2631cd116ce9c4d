//! SQuAD, versions 1.1 and 2.0.

use super::{Records, json::parsed, json::under};
use crate::EvalError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

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

/// One record a question, answers as lists under one name, as the hub's data sets have them. One article is held at a time.
pub fn open(path: &Path) -> Result<Records, EvalError> {
    let (articles, path) = (under(path, "data")?, path.to_owned());
    Ok(Box::new(articles.flat_map(move |article| {
        let article = article.and_then(|(line, text)| parsed::<Article>(&path, line, &text));
        match article {
            Ok(article) => questions(article),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    })))
}

fn questions(article: Article) -> Records {
    let title = article.title;
    Box::new(article.paragraphs.into_iter().flat_map(move |paragraph| {
        let (title, context) = (title.clone(), paragraph.context);
        paragraph.qas.into_iter().map(move |question| Ok(record(&title, &context, question)))
    }))
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
