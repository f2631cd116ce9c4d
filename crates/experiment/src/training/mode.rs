//! What trains.

use junkdna_finetune::Mode;
use std::str::FromStr;

/// What trains of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingMode {
    /// Every weight.
    Full,
    /// One of the three ways after pruning.
    Transfer(Mode),
}

impl TrainingMode {
    /// Their names, with what each does.
    pub const MODES: [(&'static str, &'static str); 4] = [
        ("full", "every weight trains"),
        ("sparse", "pruned weights are zero and stay zero"),
        ("dense-frozen", "pruned weights keep their pre-trained value, the others train"),
        ("sparse-to-dense", "pruned weights start at zero and are free to regrow"),
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Transfer(mode) => mode.name(),
        }
    }
}

impl FromStr for TrainingMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "full" {
            return Ok(Self::Full);
        }
        let transfer = Mode::ALL.into_iter().find(|mode| mode.name() == text);
        let names = Self::MODES.map(|(name, _)| name).join(", ");
        transfer.map(Self::Transfer).ok_or_else(|| format!("there is no mode `{text}`; there are {names}"))
    }
}
