//! What trains.

use junkdna_finetune::Mode;
use std::str::FromStr;

/// What trains of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingMode {
    /// Every weight.
    Full,
    /// Low-rank adapters.
    Lora,
    /// Low-rank adapters of directions, and magnitudes.
    Dora,
    /// One of the three ways after pruning.
    Transfer(Mode),
}

impl TrainingMode {
    /// Their names, with what each does.
    pub const MODES: [(&'static str, &'static str); 6] = [
        ("full", "every weight trains"),
        ("lora", "low-rank adapters train (Hu et al. 2021), and the head"),
        ("dora", "low-rank adapters of directions, and magnitudes (Liu et al. 2024), and the head"),
        ("sparse", "pruned weights are zero and stay zero"),
        ("dense-frozen", "pruned weights keep their pre-trained value, the others train"),
        ("sparse-to-dense", "pruned weights start at zero and are free to regrow"),
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lora => "lora",
            Self::Dora => "dora",
            Self::Transfer(mode) => mode.name(),
        }
    }
}

impl FromStr for TrainingMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let others = [Self::Full, Self::Lora, Self::Dora];
        let all = others.into_iter().chain(Mode::ALL.map(Self::Transfer));
        let names = Self::MODES.map(|(name, _)| name).join(", ");
        all.into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| format!("there is no mode `{text}`; there are {names}"))
    }
}
