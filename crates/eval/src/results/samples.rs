//! Answers one by one.

use crate::metrics::Response;
use crate::{EvalError, Example, Generation, Gold, Measured, Request, Task};
use serde_json::{Map, Value, json};

impl Task {
    /// What was asked, answered and measured, one object a document and pipeline of filters, with the keys of
    /// lm-evaluation-harness's samples: `doc_id`, `doc`, `target`, `arguments`, `resps`, `filtered_resps`, `filter`,
    /// `metrics` and each metric; `task` names the task. Each is made as it is asked for; filters that fail are errors with
    /// the document.
    pub fn samples<'a>(
        &'a self,
        examples: &'a [Example],
        responses: &'a [Vec<Response>],
        measured: &'a [Measured],
    ) -> impl Iterator<Item = Result<Value, EvalError>> + 'a {
        self.filters.iter().flat_map(move |filter| {
            let lines: Vec<&Measured> = measured.iter().filter(|line| line.filter == filter.name).collect();
            let answered = examples.iter().zip(responses).enumerate();
            answered.map(move |(index, (example, responses))| {
                let filtered = responses.iter().map(|response| match response {
                    Response::Text(text) => filter.apply(std::slice::from_ref(text)).map(Value::from),
                    other => Ok(plain(other)),
                });
                let wrong = |problem| EvalError::Document { task: self.task.clone(), doc: example.doc, problem };
                let filtered = filtered.collect::<Result<Vec<Value>, String>>().map_err(wrong)?;
                let mut sample = Map::new();
                sample.insert("task".into(), self.task.clone().into());
                sample.insert("doc_id".into(), example.doc.into());
                sample.insert("doc".into(), example.document.clone());
                sample.insert("target".into(), target(&example.gold));
                sample.insert("arguments".into(), self.arguments(example));
                sample.insert("resps".into(), responses.iter().map(|response| json!([plain(response)])).collect());
                sample.insert("filtered_resps".into(), filtered.into());
                sample.insert("filter".into(), filter.name.clone().into());
                sample.insert("metrics".into(), lines.iter().map(|line| line.metric.as_str()).collect());
                for line in &lines {
                    sample.insert(line.metric.clone(), json!(line.values[index]));
                }
                Ok(sample.into())
            })
        })
    }

    fn arguments(&self, example: &Example) -> Value {
        let arguments = example.requests.iter().enumerate().map(|(index, request)| {
            let own = match request {
                Request::LogLikelihood { context, continuation } => json!({ "arg_0": context, "arg_1": continuation }),
                Request::Rolling { text } => json!({ "arg_0": text }),
                Request::Classify { first, second: None } => json!({ "arg_0": first }),
                Request::Classify { first, second } => json!({ "arg_0": first, "arg_1": second }),
                Request::Generate { context } => json!({ "arg_0": context, "arg_1": generation(&self.generation) }),
            };
            (format!("gen_args_{index}"), own)
        });
        arguments.collect()
    }
}

/// The keys of `generation_kwargs`, as far as they say how an answer came about.
fn generation(generation: &Generation) -> Value {
    let mut keys = json!({ "until": generation.until, "max_gen_toks": generation.max_tokens });
    if let Some(sampling) = generation.sampling {
        keys["do_sample"] = true.into();
        keys["temperature"] = sampling.temperature.into();
        keys["seed"] = sampling.seed.into();
        sampling.top_k.into_iter().for_each(|top_k| keys["top_k"] = top_k.into());
        sampling.top_p.into_iter().for_each(|top_p| keys["top_p"] = top_p.into());
    }
    keys
}

fn plain(response: &Response) -> Value {
    match response {
        Response::LogLikelihood(score) => json!([score.sum, score.greedy]),
        Response::Rolling(sum) => json!(sum),
        Response::Text(text) => json!(text),
        Response::Classified(found) => json!(found.logits),
    }
}

fn target(gold: &Gold) -> Value {
    match gold {
        Gold::Choice(index) => json!(index),
        Gold::Choices(indices) => json!(indices),
        Gold::Text(text) => json!(text),
        Gold::Texts(texts) => json!(texts),
    }
}
