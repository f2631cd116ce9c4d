//! A collection of passages, searched by BM25 (Robertson and Zaragoza 2009).

use bm25::{SearchEngine, SearchEngineBuilder, Tokenizer};
use std::collections::HashSet;

/// Passages in an inverted index, each distinct text once.
#[derive(Debug)]
pub struct PassageIndex {
    passages: Vec<String>,
    engine: SearchEngine<u32, u32, Words>,
}

/// Lower-case runs of letters and digits.
#[derive(Debug, Default)]
struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    }
}

impl PassageIndex {
    /// An index of these passages.
    pub fn new<'a>(passages: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = HashSet::new();
        let passages: Vec<String> =
            passages.into_iter().filter(|passage| known.insert(*passage)).map(str::to_owned).collect();
        let builder =
            SearchEngineBuilder::<u32, u32, Words>::with_tokenizer_and_corpus(Words, passages.iter().cloned());
        Self { engine: builder.build(), passages }
    }

    /// The number of distinct passages.
    pub fn len(&self) -> usize {
        self.passages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// The passages that share a word with the query, best first; of equally good ones those added earlier.
    pub fn search(&self, query: &str) -> Vec<&str> {
        let mut found: Vec<(f32, u32)> =
            self.engine.search(query, None).into_iter().map(|result| (result.score, result.document.id)).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.into_iter().map(|(_, id)| self.passages[id as usize].as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_decide_and_equal_passages_are_one() {
        let passages = ["The cat sat on the mat.", "The dog sat in the sun.", "The cat sat on the mat.", "A zebra!"];
        let index = PassageIndex::new(passages);
        assert_eq!(index.len(), 3);
        assert_eq!(index.search("Where is the ZEBRA?")[0], "A zebra!");
        assert_eq!(index.search("cat"), ["The cat sat on the mat."]);
        assert!(index.search("nothing here").is_empty() && PassageIndex::new([]).is_empty());
    }
}
