//! Subject and verb in number, with nouns of the other number in between.
//!
//! After Linzen, Dupoux and Goldberg (2016), "Assessing the ability of LSTMs to learn syntax-sensitive dependencies",
//! TACL 4: an attractor is a noun between subject and verb whose number is not the subject's. Each level's context is a
//! prefix of the next level's.

use super::draw::{place_gold, shuffled, stream, take};
use super::{Family, Form, Item, SuiteConfig, SuiteError, Variant};

/// Singular and plural.
type Forms = (&'static str, &'static str);

const VERBS: [Forms; 6] =
    [("is", "are"), ("was", "were"), ("has", "have"), ("seems", "seem"), ("looks", "look"), ("comes", "come")];

const PREPOSITIONS: [&str; 8] = ["near", "behind", "beside", "under", "above", "by", "next to", "in front of"];

/// Ten singulars end in "s" and six plurals do not: the ending alone is not the answer.
const SUBJECTS: [Forms; 40] = [
    ("key", "keys"),
    ("book", "books"),
    ("dog", "dogs"),
    ("car", "cars"),
    ("boy", "boys"),
    ("teacher", "teachers"),
    ("doctor", "doctors"),
    ("farmer", "farmers"),
    ("picture", "pictures"),
    ("letter", "letters"),
    ("chair", "chairs"),
    ("student", "students"),
    ("painter", "painters"),
    ("bottle", "bottles"),
    ("coat", "coats"),
    ("flower", "flowers"),
    ("singer", "singers"),
    ("bicycle", "bicycles"),
    ("ring", "rings"),
    ("soldier", "soldiers"),
    ("bus", "buses"),
    ("boss", "bosses"),
    ("glass", "glasses"),
    ("dress", "dresses"),
    ("actress", "actresses"),
    ("waitress", "waitresses"),
    ("princess", "princesses"),
    ("witness", "witnesses"),
    ("lens", "lenses"),
    ("compass", "compasses"),
    ("child", "children"),
    ("woman", "women"),
    ("man", "men"),
    ("mouse", "mice"),
    ("goose", "geese"),
    ("tooth", "teeth"),
    ("wolf", "wolves"),
    ("thief", "thieves"),
    ("wife", "wives"),
    ("knife", "knives"),
];

const ATTRACTORS: [Forms; 24] = [
    ("cabinet", "cabinets"),
    ("table", "tables"),
    ("house", "houses"),
    ("window", "windows"),
    ("tree", "trees"),
    ("wall", "walls"),
    ("door", "doors"),
    ("box", "boxes"),
    ("bridge", "bridges"),
    ("fence", "fences"),
    ("truck", "trucks"),
    ("boat", "boats"),
    ("lamp", "lamps"),
    ("desk", "desks"),
    ("tower", "towers"),
    ("garden", "gardens"),
    ("statue", "statues"),
    ("shelf", "shelves"),
    ("bench", "benches"),
    ("shop", "shops"),
    ("barn", "barns"),
    ("tent", "tents"),
    ("gate", "gates"),
    ("sign", "signs"),
];

struct Sentence {
    id: String,
    subject: Forms,
    verb: Forms,
    plural: bool,
}

pub(super) fn variants(config: &SuiteConfig) -> Result<Vec<Variant>, SuiteError> {
    let family = Family::Agreement;
    let sentences = take(family, pool(config.seed), config.items_of(family))?;
    let levels = config.levels(family).into_iter().enumerate();
    Ok(levels
        .map(|(level, attractors)| {
            let items = sentences.iter().map(|s| item(s, attractors, config.seed));
            Variant::new(family, level, attractors, items.collect())
        })
        .collect())
}

/// All sentences, singular and plural subjects alternating.
fn pool(seed: u64) -> Vec<Sentence> {
    let by_number = [false, true].map(|plural| {
        let mut sentences = Vec::new();
        for subject in SUBJECTS {
            for verb in VERBS {
                let id = format!("agreement/{} {}", form(subject, plural), form(verb, plural));
                sentences.push(Sentence { id, subject, verb, plural });
            }
        }
        shuffled(sentences, &mut stream(seed, &format!("agreement/plural={plural}")))
    });
    super::draw::interleave(by_number.into())
}

fn item(sentence: &Sentence, attractors: usize, seed: u64) -> Item {
    let mut rng = stream(seed, &sentence.id);
    let plural = sentence.plural;
    // The gold is placed first: its position then is the same at every level.
    let (choices, gold) = place_gold(form(sentence.verb, plural), &[form(sentence.verb, !plural).to_owned()], &mut rng);
    let nouns = shuffled(ATTRACTORS.to_vec(), &mut rng);
    let mut context = format!("The {}", form(sentence.subject, plural));
    let prepositions = shuffled(PREPOSITIONS.to_vec(), &mut rng);
    for (noun, preposition) in nouns.into_iter().zip(prepositions).take(attractors) {
        context.push_str(&format!(" {preposition} the {}", form(noun, !plural)));
    }
    Item { id: sentence.id.clone(), context, choices, gold, form: Form::Choice }
}

const fn form(forms: Forms, plural: bool) -> &'static str {
    if plural { forms.1 } else { forms.0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tables_have_no_repeated_form() {
        for table in [&SUBJECTS[..], &ATTRACTORS[..]] {
            let forms: BTreeSet<_> = table.iter().flat_map(|f| [f.0, f.1]).collect();
            assert_eq!(forms.len(), 2 * table.len());
        }
    }

    #[test]
    fn easier_contexts_are_prefixes_of_harder_ones() {
        for sentence in pool(3).iter().take(20) {
            let items: Vec<_> = [0, 1, 2, 4].iter().map(|&n| item(sentence, n, 3)).collect();
            for pair in items.windows(2) {
                assert!(pair[1].context.starts_with(&pair[0].context));
                assert_eq!(pair[0].choices, pair[1].choices);
            }
        }
    }
}
