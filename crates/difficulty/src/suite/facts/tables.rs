//! Facts that most people know, by kind of answer.

/// One fact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    pub(super) key: &'static str,
    pub(super) answer: &'static str,
    /// Answers of other facts of the table that would be right here as well, and are never distractors.
    pub(super) also: &'static [&'static str],
}

/// Facts whose answers are of one kind.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The sentence before the key.
    before: &'static str,
    /// The sentence between key and answer.
    after: &'static str,
    /// The first two are the examples before every question.
    pub(super) facts: &'static [Fact],
}

/// Facts at the start of a table that are shown, not asked.
const SHOWN: usize = 2;

impl Table {
    /// The examples, one line each.
    pub(super) fn header(&self) -> String {
        let shown = self.facts.iter().take(SHOWN);
        shown.map(|fact| format!("{} {}.\n", self.question(fact), fact.answer)).collect()
    }

    /// The sentence up to the answer.
    pub(super) fn question(&self, fact: &Fact) -> String {
        format!("{}{}{}", self.before, fact.key, self.after)
    }

    pub(super) fn asked(&self) -> impl Iterator<Item = &'static Fact> {
        self.facts.iter().skip(SHOWN)
    }

    /// The different answers of the table that are wrong for `fact`, in the order of the table.
    pub(super) fn wrong_answers(&self, fact: &Fact) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        for other in self.facts {
            let right = other.answer == fact.answer || fact.also.contains(&other.answer);
            if !right && !wrong.iter().any(|known| known == other.answer) {
                wrong.push(other.answer.to_owned());
            }
        }
        wrong
    }
}

const fn fact(key: &'static str, answer: &'static str) -> Fact {
    Fact { key, answer, also: &[] }
}

const fn fact_also(key: &'static str, answer: &'static str, also: &'static [&'static str]) -> Fact {
    Fact { key, answer, also }
}

pub(super) const TABLES: [Table; 8] = [
    Table { name: "capital", before: "The capital of ", after: " is", facts: &CAPITALS },
    Table { name: "symbol", before: "The chemical symbol of ", after: " is", facts: &SYMBOLS },
    Table { name: "opposite", before: "The opposite of ", after: " is", facts: &OPPOSITES },
    Table { name: "language", before: "The main language of ", after: " is", facts: &LANGUAGES },
    Table { name: "young", before: "A young ", after: " is called a", facts: &YOUNG },
    Table { name: "color", before: "The color of ", after: " is", facts: &COLORS },
    Table { name: "tool", before: "To ", after: ", use a", facts: &TOOLS },
    Table { name: "kind", before: "The ", after: " is a kind of", facts: &KINDS },
];

const CAPITALS: [Fact; 46] = [
    fact("France", "Paris"),
    fact("Kenya", "Nairobi"),
    fact("Germany", "Berlin"),
    fact("Italy", "Rome"),
    fact("Spain", "Madrid"),
    fact("Portugal", "Lisbon"),
    fact("Greece", "Athens"),
    fact("Austria", "Vienna"),
    fact("Poland", "Warsaw"),
    fact("Hungary", "Budapest"),
    fact("Sweden", "Stockholm"),
    fact("Norway", "Oslo"),
    fact("Denmark", "Copenhagen"),
    fact("Finland", "Helsinki"),
    fact("Ireland", "Dublin"),
    fact("Russia", "Moscow"),
    fact("Ukraine", "Kyiv"),
    fact("Romania", "Bucharest"),
    fact("Bulgaria", "Sofia"),
    fact("Serbia", "Belgrade"),
    fact("Croatia", "Zagreb"),
    fact("Iceland", "Reykjavik"),
    fact("Belgium", "Brussels"),
    fact("Japan", "Tokyo"),
    fact("China", "Beijing"),
    fact("South Korea", "Seoul"),
    fact("Thailand", "Bangkok"),
    fact("Vietnam", "Hanoi"),
    fact("Indonesia", "Jakarta"),
    fact("India", "New Delhi"),
    fact("Pakistan", "Islamabad"),
    fact("Iran", "Tehran"),
    fact("Iraq", "Baghdad"),
    fact("Turkey", "Ankara"),
    fact("Egypt", "Cairo"),
    fact("Ethiopia", "Addis Ababa"),
    fact("Canada", "Ottawa"),
    fact("Cuba", "Havana"),
    fact("Peru", "Lima"),
    fact("Chile", "Santiago"),
    fact("Argentina", "Buenos Aires"),
    fact("Colombia", "Bogota"),
    fact("Australia", "Canberra"),
    fact("New Zealand", "Wellington"),
    fact("Lebanon", "Beirut"),
    fact("Afghanistan", "Kabul"),
];

const SYMBOLS: [Fact; 30] = [
    fact("carbon", "C"),
    fact("helium", "He"),
    fact("hydrogen", "H"),
    fact("oxygen", "O"),
    fact("nitrogen", "N"),
    fact("sodium", "Na"),
    fact("potassium", "K"),
    fact("iron", "Fe"),
    fact("gold", "Au"),
    fact("silver", "Ag"),
    fact("copper", "Cu"),
    fact("lead", "Pb"),
    fact("tin", "Sn"),
    fact("mercury", "Hg"),
    fact("zinc", "Zn"),
    fact("calcium", "Ca"),
    fact("magnesium", "Mg"),
    fact("aluminum", "Al"),
    fact("silicon", "Si"),
    fact("phosphorus", "P"),
    fact("sulfur", "S"),
    fact("chlorine", "Cl"),
    fact("fluorine", "F"),
    fact("iodine", "I"),
    fact("lithium", "Li"),
    fact("neon", "Ne"),
    fact("argon", "Ar"),
    fact("nickel", "Ni"),
    fact("uranium", "U"),
    fact("tungsten", "W"),
];

const OPPOSITES: [Fact; 37] = [
    fact("hot", "cold"),
    fact("up", "down"),
    fact("big", "small"),
    fact("day", "night"),
    fact("happy", "sad"),
    fact("fast", "slow"),
    fact("light", "dark"),
    fact("rich", "poor"),
    fact("strong", "weak"),
    fact("full", "empty"),
    fact("open", "closed"),
    fact("wet", "dry"),
    fact("high", "low"),
    fact_also("long", "short", &["small"]),
    fact_also("old", "young", &["new"]),
    fact("good", "bad"),
    fact("clean", "dirty"),
    fact("loud", "quiet"),
    fact("early", "late"),
    fact("left", "right"),
    fact("true", "false"),
    fact_also("thick", "thin", &["narrow"]),
    fact_also("wide", "narrow", &["thin"]),
    fact("first", "last"),
    fact("love", "hate"),
    fact("win", "lose"),
    fact("buy", "sell"),
    fact("push", "pull"),
    fact("near", "far"),
    fact("inside", "outside"),
    fact("war", "peace"),
    fact("north", "south"),
    fact("east", "west"),
    fact("alive", "dead"),
    fact("safe", "dangerous"),
    fact("ancient", "new"),
    fact("beautiful", "ugly"),
];

const LANGUAGES: [Fact; 30] = [
    fact("Poland", "Polish"),
    fact("Saudi Arabia", "Arabic"),
    fact("France", "French"),
    fact("Germany", "German"),
    fact("Austria", "German"),
    fact("Italy", "Italian"),
    fact("Spain", "Spanish"),
    fact("Mexico", "Spanish"),
    fact("Argentina", "Spanish"),
    fact("Cuba", "Spanish"),
    fact("Chile", "Spanish"),
    fact("Portugal", "Portuguese"),
    fact("Brazil", "Portuguese"),
    fact("Angola", "Portuguese"),
    fact("Egypt", "Arabic"),
    fact("Iraq", "Arabic"),
    fact("Jamaica", "English"),
    fact("Australia", "English"),
    fact("Japan", "Japanese"),
    fact("China", "Chinese"),
    fact("Iran", "Persian"),
    fact("Greece", "Greek"),
    fact("Netherlands", "Dutch"),
    fact("Sweden", "Swedish"),
    fact("Denmark", "Danish"),
    fact("Hungary", "Hungarian"),
    fact("Turkey", "Turkish"),
    fact("Thailand", "Thai"),
    fact("Vietnam", "Vietnamese"),
    fact("Russia", "Russian"),
];

const YOUNG: [Fact; 22] = [
    fact("dog", "puppy"),
    fact("horse", "foal"),
    fact("cat", "kitten"),
    fact("cow", "calf"),
    fact("elephant", "calf"),
    fact("whale", "calf"),
    fact("sheep", "lamb"),
    fact("goat", "kid"),
    fact("pig", "piglet"),
    fact("hen", "chick"),
    fact_also("duck", "duckling", &["chick"]),
    fact_also("goose", "gosling", &["chick"]),
    fact_also("swan", "cygnet", &["chick"]),
    fact("lion", "cub"),
    fact("bear", "cub"),
    fact("tiger", "cub"),
    fact("deer", "fawn"),
    fact("kangaroo", "joey"),
    fact("frog", "tadpole"),
    fact("donkey", "foal"),
    fact("zebra", "foal"),
    fact("human", "child"),
];

const COLORS: [Fact; 30] = [
    fact("grass", "green"),
    fact("snow", "white"),
    fact("coal", "black"),
    fact("blood", "red"),
    fact("a clear sky", "blue"),
    fact("a lemon", "yellow"),
    fact("a carrot", "orange"),
    fact_also("chocolate", "brown", &["black", "white"]),
    fact_also("a flamingo", "pink", &["red", "orange"]),
    fact("an elephant", "gray"),
    fact("milk", "white"),
    fact_also("a banana", "yellow", &["green"]),
    fact_also("a ripe tomato", "red", &["orange"]),
    fact("a fire truck", "red"),
    fact("a polar bear", "white"),
    fact("a crow", "black"),
    fact_also("the ocean", "blue", &["green", "gray"]),
    fact_also("a frog", "green", &["brown"]),
    fact_also("a ripe strawberry", "red", &["pink"]),
    fact_also("a pumpkin", "orange", &["yellow"]),
    fact_also("coffee", "brown", &["black"]),
    fact_also("an eggplant", "purple", &["black"]),
    fact_also("the sun", "yellow", &["orange", "red", "white"]),
    fact_also("a cucumber", "green", &["white"]),
    fact_also("an emerald", "green", &["blue"]),
    fact("a ruby", "red"),
    fact("a sapphire", "blue"),
    fact_also("wood", "brown", &["black", "red"]),
    fact_also("a rain cloud", "gray", &["black", "white"]),
    fact_also("a lavender flower", "purple", &["blue", "pink"]),
];

const TOOLS: [Fact; 30] = [
    fact("drive in a nail", "hammer"),
    fact("take a picture", "camera"),
    fact("sweep the floor", "broom"),
    fact("dig a hole", "shovel"),
    fact_also("cut wood", "saw", &["knife"]),
    fact("open a locked door", "key"),
    fact("see the stars up close", "telescope"),
    fact("look at tiny cells", "microscope"),
    fact("measure a fever", "thermometer"),
    fact("draw a straight line", "ruler"),
    fact_also("slice bread", "knife", &["saw"]),
    fact_also("eat soup", "spoon", &["bowl"]),
    fact("dry your hands", "towel"),
    fact_also("write a letter", "pen", &["computer"]),
    fact_also("call a friend", "phone", &["computer"]),
    fact_also("browse the internet", "computer", &["phone"]),
    fact("tighten a screw", "screwdriver"),
    fact_also("light a candle", "match", &["lamp"]),
    fact("carry water", "bucket"),
    fact_also("catch a fish", "net", &["rope"]),
    fact("climb onto the roof", "ladder"),
    fact_also("find the way", "map", &["phone", "computer"]),
    fact("brush your teeth", "toothbrush"),
    fact_also("sew a button", "needle", &["machine"]),
    fact("wash clothes", "machine"),
    fact_also("tie up a boat", "rope", &["net"]),
    fact_also("read in the dark", "lamp", &["match", "phone", "computer"]),
    fact("comb your hair", "comb"),
    fact("mix cereal and milk", "bowl"),
    fact("rest your head at night", "pillow"),
];

const KINDS: [Fact; 48] = [
    fact("dog", "mammal"),
    fact("oak", "tree"),
    fact("whale", "mammal"),
    fact("horse", "mammal"),
    fact("bat", "mammal"),
    fact("eagle", "bird"),
    fact("penguin", "bird"),
    fact("sparrow", "bird"),
    fact("owl", "bird"),
    fact("salmon", "fish"),
    fact("trout", "fish"),
    fact("shark", "fish"),
    fact("ant", "insect"),
    fact("bee", "insect"),
    fact("beetle", "insect"),
    fact("mosquito", "insect"),
    fact("snake", "reptile"),
    fact("lizard", "reptile"),
    fact("turtle", "reptile"),
    fact("pine", "tree"),
    fact("maple", "tree"),
    fact("rose", "flower"),
    fact("tulip", "flower"),
    fact("daisy", "flower"),
    fact("banana", "fruit"),
    fact("peach", "fruit"),
    fact("strawberry", "fruit"),
    fact("carrot", "vegetable"),
    fact("onion", "vegetable"),
    fact("cabbage", "vegetable"),
    fact("diamond", "gem"),
    fact("ruby", "gem"),
    fact("piano", "instrument"),
    fact("guitar", "instrument"),
    fact("violin", "instrument"),
    fact("trumpet", "instrument"),
    fact("sofa", "furniture"),
    fact("chair", "furniture"),
    fact("wardrobe", "furniture"),
    fact("shirt", "clothing"),
    fact("jacket", "clothing"),
    fact("sweater", "clothing"),
    fact("bus", "vehicle"),
    fact("truck", "vehicle"),
    fact("bicycle", "vehicle"),
    fact("pistol", "weapon"),
    fact("sword", "weapon"),
    fact("rifle", "weapon"),
];
