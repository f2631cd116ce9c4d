//! Conversations against those that lm-evaluation-harness 0.4.13 and Transformers 5.24 write (`harness/chats.jsonl`).

use junkdna_eval::{Chat, ChatTemplate, Example, FEWSHOT_SEED, Message, Prompting, Request, Task};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn template(text: &str) -> ChatTemplate {
    let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")].map(|(role, token)| (role.to_owned(), token.to_owned()));
    ChatTemplate::new(text, BTreeMap::from(tokens)).unwrap()
}

/// Each request as the document's number and its texts.
fn requests(example: &Example) -> Vec<Value> {
    let request = |request: &Request| match request {
        Request::LogLikelihood { context, continuation } => json!([example.doc, context, continuation]),
        Request::Classify { first, second } => json!([first, second]),
        Request::Rolling { text } => json!([example.doc, text]),
        Request::Generate { context } => json!([example.doc, context]),
    };
    example.requests.iter().map(request).collect()
}

#[test]
fn parity_conversations() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/harness");
    let text = std::fs::read_to_string(folder.join("chats.jsonl")).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let templates = lines.next().unwrap()["templates"].take();
    let mut compared = 0;
    for case in lines {
        let text = |key: &str| case[key].as_str().map(str::to_owned);
        let chat = Chat {
            template: template(templates[text("template").unwrap()].as_str().unwrap()),
            multiturn: case["multiturn"].as_bool().unwrap(),
        };
        let prompting = Prompting {
            seed: FEWSHOT_SEED,
            limit: Some(2),
            system_instruction: text("instruction"),
            chat: Some(chat),
            ..Prompting::default()
        };
        let task = Task::load(&folder.join(format!("{}.yaml", text("task").unwrap()))).unwrap();
        let got: Vec<Value> = task.render(&prompting).unwrap().examples.iter().flat_map(requests).collect();
        let place = format!("{}, {}, {}", case["template"], case["task"], case["multiturn"]);
        assert_eq!(got.len(), case["requests"].as_array().unwrap().len(), "{place}");
        for (got, expected) in got.iter().zip(case["requests"].as_array().unwrap()) {
            assert_eq!(got, expected, "{place}");
        }
        compared += 1;
    }
    assert_eq!(compared, 60);
}

#[test]
fn a_template_that_fails_says_so() {
    let say = |role, content: &str| Message { role, content: content.into() };
    let error = ChatTemplate::new("{% for %}", BTreeMap::new()).unwrap_err().to_string();
    assert!(error.contains("chat template") && !error.contains('\n'), "{error}");
    let refuses = template("{{ raise_exception('no ' ~ messages[0].role) }}");
    assert!(refuses.render(&[say("user", "a")], false).unwrap_err().contains("no user"));
    assert!(
        template("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}")
            .render(&[], false)
            .is_err()
    );
    // The beginning of an answer must be in the text to go on from.
    assert!(template("{{ messages[0].content }}").render(&[say("user", "a"), say("assistant", "b")], true).is_err());
}
