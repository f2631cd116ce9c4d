//! Words with one answer per relation.

/// A word and its answers, one per relation of the table.
pub(super) type Row = (&'static str, [&'static str; 4]);

/// Words of one kind with four relations that all of them have.
pub(super) struct Table {
    pub(super) relations: [&'static str; 4],
    pub(super) rows: &'static [Row],
}

pub(super) const TABLES: [Table; 3] = [
    Table { relations: ["past", "third-person", "progressive", "participle"], rows: &VERBS },
    Table { relations: ["opposite", "comparative", "superlative", "adverb"], rows: &ADJECTIVES },
    Table { relations: ["capital", "language", "continent", "currency"], rows: &COUNTRIES },
];

const VERBS: [Row; 24] = [
    ("go", ["went", "goes", "going", "gone"]),
    ("eat", ["ate", "eats", "eating", "eaten"]),
    ("see", ["saw", "sees", "seeing", "seen"]),
    ("take", ["took", "takes", "taking", "taken"]),
    ("give", ["gave", "gives", "giving", "given"]),
    ("write", ["wrote", "writes", "writing", "written"]),
    ("speak", ["spoke", "speaks", "speaking", "spoken"]),
    ("break", ["broke", "breaks", "breaking", "broken"]),
    ("drive", ["drove", "drives", "driving", "driven"]),
    ("know", ["knew", "knows", "knowing", "known"]),
    ("grow", ["grew", "grows", "growing", "grown"]),
    ("fly", ["flew", "flies", "flying", "flown"]),
    ("sing", ["sang", "sings", "singing", "sung"]),
    ("swim", ["swam", "swims", "swimming", "swum"]),
    ("drink", ["drank", "drinks", "drinking", "drunk"]),
    ("begin", ["began", "begins", "beginning", "begun"]),
    ("choose", ["chose", "chooses", "choosing", "chosen"]),
    ("fall", ["fell", "falls", "falling", "fallen"]),
    ("steal", ["stole", "steals", "stealing", "stolen"]),
    ("wear", ["wore", "wears", "wearing", "worn"]),
    ("throw", ["threw", "throws", "throwing", "thrown"]),
    ("ride", ["rode", "rides", "riding", "ridden"]),
    ("hide", ["hid", "hides", "hiding", "hidden"]),
    ("shake", ["shook", "shakes", "shaking", "shaken"]),
];

const ADJECTIVES: [Row; 22] = [
    ("slow", ["fast", "slower", "slowest", "slowly"]),
    ("loud", ["quiet", "louder", "loudest", "loudly"]),
    ("weak", ["strong", "weaker", "weakest", "weakly"]),
    ("rich", ["poor", "richer", "richest", "richly"]),
    ("cheap", ["expensive", "cheaper", "cheapest", "cheaply"]),
    ("dark", ["light", "darker", "darkest", "darkly"]),
    ("soft", ["hard", "softer", "softest", "softly"]),
    ("cold", ["hot", "colder", "coldest", "coldly"]),
    ("deep", ["shallow", "deeper", "deepest", "deeply"]),
    ("wide", ["narrow", "wider", "widest", "widely"]),
    ("thick", ["thin", "thicker", "thickest", "thickly"]),
    ("tight", ["loose", "tighter", "tightest", "tightly"]),
    ("smooth", ["rough", "smoother", "smoothest", "smoothly"]),
    ("safe", ["dangerous", "safer", "safest", "safely"]),
    ("clean", ["dirty", "cleaner", "cleanest", "cleanly"]),
    ("sharp", ["blunt", "sharper", "sharpest", "sharply"]),
    ("rare", ["common", "rarer", "rarest", "rarely"]),
    ("brave", ["cowardly", "braver", "bravest", "bravely"]),
    ("polite", ["rude", "politer", "politest", "politely"]),
    ("high", ["low", "higher", "highest", "highly"]),
    ("near", ["far", "nearer", "nearest", "nearly"]),
    ("late", ["early", "later", "latest", "lately"]),
];

const COUNTRIES: [Row; 20] = [
    ("Japan", ["Tokyo", "Japanese", "Asia", "yen"]),
    ("China", ["Beijing", "Chinese", "Asia", "yuan"]),
    ("Russia", ["Moscow", "Russian", "Europe", "ruble"]),
    ("France", ["Paris", "French", "Europe", "euro"]),
    ("Germany", ["Berlin", "German", "Europe", "euro"]),
    ("Spain", ["Madrid", "Spanish", "Europe", "euro"]),
    ("Italy", ["Rome", "Italian", "Europe", "euro"]),
    ("Greece", ["Athens", "Greek", "Europe", "euro"]),
    ("Poland", ["Warsaw", "Polish", "Europe", "zloty"]),
    ("Sweden", ["Stockholm", "Swedish", "Europe", "krona"]),
    ("Turkey", ["Ankara", "Turkish", "Asia", "lira"]),
    ("Egypt", ["Cairo", "Arabic", "Africa", "pound"]),
    ("Brazil", ["Brasilia", "Portuguese", "South America", "real"]),
    ("Argentina", ["Buenos Aires", "Spanish", "South America", "peso"]),
    ("Mexico", ["Mexico City", "Spanish", "North America", "peso"]),
    ("Thailand", ["Bangkok", "Thai", "Asia", "baht"]),
    ("Vietnam", ["Hanoi", "Vietnamese", "Asia", "dong"]),
    ("England", ["London", "English", "Europe", "pound"]),
    ("Portugal", ["Lisbon", "Portuguese", "Europe", "euro"]),
    ("Iran", ["Tehran", "Persian", "Asia", "rial"]),
];
