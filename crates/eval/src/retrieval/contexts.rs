//! The gold passage among others, to a budget of tokens.

use super::PassageIndex;
use junkdna_backend::Seed;

/// Where the gold passage stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoldPosition {
    /// Before them.
    First,
    /// With as many before it as behind it, or one less.
    Middle,
    /// Behind them.
    Last,
    /// Anywhere, with equal chances, by a seed and the question.
    Drawn,
}

/// How a context is built. The gold passage is always there, unless there is no room at all; the passages that BM25 ranks
/// highest for the question, and in which none of the right answers stands, follow in that order until one does not fit. The
/// passages of a smaller budget are among those of a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contexts {
    /// Tokens, at most, but for a gold passage that is longer alone; 0 for closed book, an empty context.
    pub tokens: usize,
    /// Where the gold passage stands.
    pub gold: GoldPosition,
    /// Of drawn positions.
    pub seed: u64,
}

/// What stands between two passages.
const BETWEEN: &str = "\n\n";

impl Contexts {
    /// The context of one question, measured by `count`.
    pub fn build(
        &self,
        index: &PassageIndex,
        gold: &str,
        question: &str,
        answers: &[&str],
        count: impl Fn(&str) -> usize,
    ) -> String {
        if self.tokens == 0 {
            return String::new();
        }
        let answers: Vec<String> = answers.iter().map(|answer| answer.to_lowercase()).collect();
        let gives_away = |passage: &str| {
            let passage = passage.to_lowercase();
            answers.iter().any(|answer| !answer.is_empty() && passage.contains(answer.as_str()))
        };
        let mut passages = vec![gold];
        for other in index.search(question).into_iter().filter(|&other| other != gold && !gives_away(other)) {
            passages.push(other);
            if count(&passages.join(BETWEEN)) > self.tokens {
                passages.pop();
                break;
            }
        }
        let place = self.place(passages.len() - 1, question);
        passages[..=place].rotate_left(1);
        // Its neighbours change with its place, and with them, now and then, a token at a border.
        while passages.len() > 1 && count(&passages.join(BETWEEN)) > self.tokens {
            let last = passages.iter().rposition(|&passage| passage != gold).unwrap_or(0);
            passages.remove(last);
        }
        passages.join(BETWEEN)
    }

    /// How many of the other passages stand before the gold one.
    fn place(&self, others: usize, question: &str) -> usize {
        match self.gold {
            GoldPosition::First => 0,
            GoldPosition::Middle => others / 2,
            GoldPosition::Last => others,
            GoldPosition::Drawn => {
                let draw = u64::from(Seed(self.seed).derive(question).draw(0));
                ((draw * (others as u64 + 1)) >> 32) as usize
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn built(contexts: Contexts, passages: &[String], gold: usize) -> Vec<String> {
        let index = PassageIndex::new(passages.iter().map(String::as_str));
        let context = contexts.build(&index, &passages[gold], "where is the common word", &["secret"], words);
        context.split(BETWEEN).filter(|passage| !passage.is_empty()).map(str::to_owned).collect()
    }

    fn passages() -> impl Strategy<Value = (Vec<String>, usize)> {
        let passage = ("[a-z]{3}", 1usize..12, prop::bool::weighted(0.2));
        prop::collection::vec(passage, 1..12).prop_flat_map(|parts| {
            let text = |(index, (word, length, tells)): (usize, (String, usize, bool))| {
                format!(
                    "common{index} common {}{}",
                    format!("{word} ").repeat(length),
                    if tells { "Secret" } else { "x" }
                )
            };
            let texts: Vec<String> = parts.into_iter().enumerate().map(text).collect();
            let gold = 0..texts.len();
            (Just(texts), gold)
        })
    }

    proptest! {
        #[test]
        fn contexts_keep_their_budget_their_gold_and_their_order(
            (texts, gold) in passages(), tokens in 1usize..80, more in 0usize..40, seed in 0u64..9,
        ) {
            let contexts = |tokens, gold| Contexts { tokens, gold, seed };
            let first = built(contexts(tokens, GoldPosition::First), &texts, gold);
            prop_assert_eq!(&first[0], &texts[gold]);
            prop_assert!(first.iter().map(|p| words(p)).sum::<usize>() <= tokens.max(words(&texts[gold])));
            prop_assert!(first[1..].iter().all(|other| !other.contains("Secret") && *other != texts[gold]));
            let larger = built(contexts(tokens + more, GoldPosition::First), &texts, gold);
            prop_assert_eq!(&larger[..first.len()], &first[..], "a smaller context begins a larger one");
            let last = built(contexts(tokens, GoldPosition::Last), &texts, gold);
            prop_assert_eq!(last.last(), Some(&texts[gold]));
            let middle = built(contexts(tokens, GoldPosition::Middle), &texts, gold);
            prop_assert_eq!(&middle[(middle.len() - 1) / 2], &texts[gold]);
            let drawn = built(contexts(tokens, GoldPosition::Drawn), &texts, gold);
            let sorted = |mut passages: Vec<String>| { passages.sort(); passages };
            prop_assert_eq!(sorted(drawn), sorted(first));
        }
    }

    #[test]
    fn closed_book_is_no_context() {
        let contexts = Contexts { tokens: 0, gold: GoldPosition::First, seed: 1 };
        assert!(built(contexts, &["a".into()], 0).is_empty());
    }

    #[test]
    fn drawn_positions_are_everywhere() {
        let contexts = Contexts { tokens: 9, gold: GoldPosition::Drawn, seed: 41 };
        let mut counts = [0; 4];
        (0..4000).for_each(|i| counts[contexts.place(3, &i.to_string())] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
