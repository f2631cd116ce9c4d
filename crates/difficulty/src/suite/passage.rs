//! A fact to be found in a passage that grows.
//!
//! The first sentence says where one thing is. Small talk follows, then the places of other things and small talk in
//! turn, so that the answer gets farther away and has more competitors; half of the other things have the color of the
//! first or are of its kind. A shorter level's passage is a prefix of a longer one's.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::draw::{pick, place_gold, shuffled, stream};
use super::{Family, Form, Item, SuiteConfig, SuiteError, Variant};

const OPTIONS: usize = 4;

const PEOPLE: [&str; 20] = [
    "Maria", "Tom", "Anna", "Peter", "Lucy", "David", "Emma", "Jack", "Sarah", "Paul", "Kate", "Ben", "Julia", "Mark",
    "Nina", "Oscar", "Ruth", "Sam", "Clara", "Leo",
];

const COLORS: [&str; 8] = ["red", "blue", "green", "yellow", "black", "white", "brown", "pink"];

const THINGS: [&str; 20] = [
    "key", "ball", "book", "hat", "cup", "bag", "coat", "box", "pen", "lamp", "toy", "ring", "scarf", "basket",
    "bottle", "blanket", "letter", "shoe", "plate", "brush",
];

const PLACES: [&str; 14] = [
    "kitchen", "garden", "garage", "attic", "basement", "bathroom", "bedroom", "hallway", "office", "library",
    "closet", "barn", "shed", "pantry",
];

const SMALL_TALK: [&str; 16] = [
    "The weather was warm that day.",
    "It had rained in the morning.",
    "Nobody was in a hurry.",
    "The neighbors were playing music.",
    "A dog barked outside.",
    "They talked about the school.",
    "Lunch was almost ready.",
    "The phone rang twice.",
    "Everyone was a little tired.",
    "The train had been late again.",
    "Someone laughed at an old joke.",
    "The sun was going down.",
    "It was a quiet Sunday.",
    "The children sang a song.",
    "There was nothing on television.",
    "They planned a trip to the sea.",
];

/// An estimate of the tokens of English text: four for every three words, rounded up.
///
/// Byte-pair vocabularies of 30,000 to 150,000 entries need 1.2 to 1.4 tokens per word of plain English, punctuation
/// included.
#[must_use]
pub fn estimate_tokens(text: &str) -> usize {
    (text.split_whitespace().count() * 4).div_ceil(3)
}

pub(super) fn variants(config: &SuiteConfig, count: &impl Fn(&str) -> usize) -> Result<Vec<Variant>, SuiteError> {
    let family = Family::Passage;
    let levels = config.levels(family);
    let mut items_by_level: Vec<Vec<Item>> = vec![Vec::new(); levels.len()];
    for number in 0..config.items_of(family) {
        let story = Story::new(number, config.seed);
        for (items, item) in items_by_level.iter_mut().zip(story.items(&levels, count)?) {
            items.push(item);
        }
    }
    let variants = levels.into_iter().zip(items_by_level).enumerate();
    Ok(variants.map(|(level, (tokens, items))| Variant::new(family, level, tokens, items)).collect())
}

struct Story {
    id: String,
    color: &'static str,
    thing: &'static str,
    needle: String,
    choices: Vec<String>,
    gold: usize,
    /// Places of the other things, in the order in which they come up; the first ones are the distractors.
    places: Vec<&'static str>,
    rng: ChaCha8Rng,
}

impl Story {
    fn new(number: usize, seed: u64) -> Self {
        let id = format!("passage/{number:04}");
        let mut rng = stream(seed, &id);
        let mut places = shuffled(PLACES.to_vec(), &mut rng);
        let answer = places.remove(0);
        let (color, thing) = (*pick(&COLORS, &mut rng), *pick(&THINGS, &mut rng));
        let needle = sentence(&format!("{color} {thing}"), answer, &mut rng);
        let distractors: Vec<String> = places[..OPTIONS - 1].iter().map(|p| (*p).to_owned()).collect();
        let (choices, gold) = place_gold(answer, &distractors, &mut rng);
        Self { id, color, thing, needle, choices, gold, places, rng }
    }

    /// One item per budget; budgets ascend.
    fn items(mut self, budgets: &[usize], count: &impl Fn(&str) -> usize) -> Result<Vec<Item>, SuiteError> {
        let mut passage = self.needle.clone();
        let mut sentences = 1;
        let mut next = self.next_sentence(sentences);
        let mut items = Vec::new();
        for &budget in budgets {
            self.check_fits(&passage, sentences, budget, count)?;
            while count(&format!("{passage} {next}")) <= budget {
                passage = format!("{passage} {next}");
                sentences += 1;
                if sentences > budget {
                    return Err(self.stuck(sentences, count(&passage)));
                }
                next = self.next_sentence(sentences);
            }
            items.push(self.ask(&passage));
        }
        Ok(items)
    }

    fn check_fits(
        &self,
        passage: &str,
        sentences: usize,
        budget: usize,
        count: &impl Fn(&str) -> usize,
    ) -> Result<(), SuiteError> {
        let tokens = count(passage);
        if sentences == 1 && tokens > budget {
            return Err(SuiteError::PassageTooShort { id: self.id.clone(), tokens, budget });
        }
        Ok(())
    }

    fn stuck(&self, sentences: usize, tokens: usize) -> SuiteError {
        SuiteError::CounterStuck { id: self.id.clone(), sentences, tokens }
    }

    /// Two sentences of small talk, then the place of another thing and small talk in turn: the shortest level has no
    /// competitor.
    fn next_sentence(&mut self, at: usize) -> String {
        if at < 3 || at.is_multiple_of(2) {
            return (*pick(&SMALL_TALK, &mut self.rng)).to_owned();
        }
        let place = self.places[(at - 3) / 2 % self.places.len()];
        let thing = self.competitor();
        sentence(&thing, place, &mut self.rng)
    }

    /// Half the time another thing in another color; else one of the same color, or the same thing in another color.
    fn competitor(&mut self) -> String {
        let (mut color, mut thing) = (self.color, self.thing);
        let shared = self.rng.random_range(0..4);
        while shared != 0 && thing == self.thing {
            thing = *pick(&THINGS, &mut self.rng);
        }
        while shared != 1 && color == self.color {
            color = *pick(&COLORS, &mut self.rng);
        }
        format!("{color} {thing}")
    }

    fn ask(&self, passage: &str) -> Item {
        Item {
            id: self.id.clone(),
            context: format!("{passage}\nThe {} {} is in the", self.color, self.thing),
            choices: self.choices.clone(),
            gold: self.gold,
            form: Form::Choice,
        }
    }
}

fn sentence(thing: &str, place: &str, rng: &mut ChaCha8Rng) -> String {
    format!("{} left the {thing} in the {place}.", pick(&PEOPLE, rng))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn passages_grow_within_their_budget_and_name_the_gold_once(seed: u64, number in 0_usize..500) {
            let budgets = [30, 75, 150, 300];
            let items = Story::new(number, seed).items(&budgets, &estimate_tokens)?;
            for (item, budget) in items.iter().zip(budgets) {
                let (passage, _) = item.context.split_once('\n').unwrap_or_default();
                prop_assert!(estimate_tokens(passage) <= budget);
                prop_assert!(estimate_tokens(passage) + 12 > budget, "room left");
                prop_assert_eq!(passage.matches(&item.choices[item.gold]).count(), 1);
            }
            for pair in items.windows(2) {
                let (short, _) = pair[0].context.split_once('\n').unwrap_or_default();
                prop_assert!(pair[1].context.starts_with(short));
            }
        }
    }

    #[test]
    fn a_counter_that_never_grows_is_an_error() {
        let stuck = Story::new(0, 0).items(&[30], &|_: &str| 1);
        assert!(matches!(stuck, Err(SuiteError::CounterStuck { .. })));
        let large = Story::new(0, 0).items(&[30], &|_: &str| 99);
        assert!(matches!(large, Err(SuiteError::PassageTooShort { .. })));
    }
}
