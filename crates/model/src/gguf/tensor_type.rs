//! The types that GGUF stores tensors in.

/// A tensor type that can be read; weights come in blocks of [`block_len`](Self::block_len) elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
// The names that GGUF tools use.
#[allow(non_camel_case_types)]
pub enum TensorType {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Brain floating point.
    BF16,
    /// Double precision.
    F64,
    /// Four bits, blocks of 32 with a scale.
    Q4_0,
    /// Four bits, blocks of 32 with scale and minimum.
    Q4_1,
    /// Five bits, blocks of 32 with a scale.
    Q5_0,
    /// Five bits, blocks of 32 with scale and minimum.
    Q5_1,
    /// Eight bits, blocks of 32 with a scale.
    Q8_0,
    /// Two bits, super-blocks of 256.
    Q2_K,
    /// Three bits, super-blocks of 256.
    Q3_K,
    /// Four bits, super-blocks of 256.
    Q4_K,
    /// Five bits, super-blocks of 256.
    Q5_K,
    /// Six bits, super-blocks of 256.
    Q6_K,
    /// Eight bits, blocks of 256 with a scale.
    Q8_K,
    /// Four-bit codebook, blocks of 32 with a scale.
    IQ4_NL,
    /// Four-bit codebook, super-blocks of 256.
    IQ4_XS,
}

use TensorType::*;

/// Each type with its number in the file, its name, and the elements and bytes of one block.
const TYPES: [(TensorType, u32, &str, usize, usize); 17] = [
    (F32, 0, "F32", 1, 4),
    (F16, 1, "F16", 1, 2),
    (Q4_0, 2, "Q4_0", 32, 18),
    (Q4_1, 3, "Q4_1", 32, 20),
    (Q5_0, 6, "Q5_0", 32, 22),
    (Q5_1, 7, "Q5_1", 32, 24),
    (Q8_0, 8, "Q8_0", 32, 34),
    (Q2_K, 10, "Q2_K", 256, 84),
    (Q3_K, 11, "Q3_K", 256, 110),
    (Q4_K, 12, "Q4_K", 256, 144),
    (Q5_K, 13, "Q5_K", 256, 176),
    (Q6_K, 14, "Q6_K", 256, 210),
    (Q8_K, 15, "Q8_K", 256, 292),
    (IQ4_NL, 20, "IQ4_NL", 32, 18),
    (IQ4_XS, 23, "IQ4_XS", 256, 136),
    (F64, 28, "F64", 1, 8),
    (BF16, 30, "BF16", 1, 2),
];

/// Types that exist but are not read, to call them by name.
const OTHERS: [(u32, &str); 17] = [
    (9, "Q8_1"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

impl TensorType {
    /// All types that can be read.
    pub fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().map(|row| row.0)
    }

    /// The type with a number, or the name of a type that cannot be read.
    pub(super) fn from_number(number: u32) -> Result<Self, String> {
        if let Some(row) = TYPES.iter().find(|row| row.1 == number) {
            return Ok(row.0);
        }
        let other = OTHERS.iter().find(|other| other.0 == number);
        Err(other.map_or_else(|| format!("type number {number}"), |o| o.1.to_owned()))
    }

    /// The names of all types that can be read, for errors.
    pub(super) fn supported() -> String {
        TYPES.map(|row| row.2).join(", ")
    }

    fn row(self) -> &'static (Self, u32, &'static str, usize, usize) {
        // Every variant has its row (a test says so); the first is never reached as a substitute.
        TYPES.iter().find(|row| row.0 == self).unwrap_or(&TYPES[0])
    }

    /// The name that GGUF tools use.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The number that stands for the type in files.
    pub fn number(self) -> u32 {
        self.row().1
    }

    /// Elements in one block.
    pub fn block_len(self) -> usize {
        self.row().3
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_row() {
        for (i, tensor_type) in TensorType::all().enumerate() {
            assert_eq!(tensor_type as usize, tensor_type.row().0 as usize);
            assert_eq!(TensorType::from_number(TYPES[i].1), Ok(tensor_type));
        }
        let mut seen: Vec<_> = TensorType::all().map(|t| t as usize).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..TYPES.len()).collect::<Vec<_>>());
    }

    #[test]
    fn types_that_cannot_be_read_are_named() {
        assert_eq!(TensorType::from_number(16), Err("IQ2_XXS".to_owned()));
        assert_eq!(TensorType::from_number(99), Err("type number 99".to_owned()));
    }
}
