//! Devices by name.

use burn::tensor::Device;
use std::{fmt, str::FromStr};

/// The name of a device as users write it: `flex`, `ndarray`, `wgpu[:N]`, `vulkan[:N]`, `cuda[:N]`, `remote:ADDRESS`.
///
/// `wgpu` alone takes the best adapter there is, `wgpu:N` the N-th discrete GPU, `wgpu:cpu` a software driver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum DeviceName {
    /// Burn's CPU backend in pure Rust, on all cores.
    #[default]
    Flex,
    /// The older CPU backend on `ndarray`.
    NdArray,
    /// A GPU through WebGPU.
    Wgpu(Adapter),
    /// A GPU through Vulkan.
    Vulkan(Adapter),
    /// An NVIDIA GPU.
    Cuda(usize),
    /// A device served by another machine, `HOST:PORT`.
    Remote(String),
}

/// Which of the adapters of a graphics interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Adapter {
    /// The best one.
    #[default]
    Best,
    /// The N-th discrete GPU.
    Discrete(usize),
    /// A software driver on the CPU.
    Software,
}

/// Why a name gives no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Not a name of a device.
    #[error("unknown device `{0}`: use flex, ndarray, wgpu[:N|:cpu], vulkan[:N|:cpu], cuda[:N] or remote:HOST:PORT")]
    Unknown(String),
    /// A device whose backend is not in this build.
    #[error("device `{name}` is not in this build: build with `--features {feature}`")]
    NotCompiled {
        /// The name asked for.
        name: String,
        /// The Cargo feature that adds it.
        feature: &'static str,
    },
}

impl FromStr for DeviceName {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.into());
        let (name, rest) = match text.split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (text, None),
        };
        Ok(match (name, rest) {
            ("flex", None) => Self::Flex,
            ("ndarray", None) => Self::NdArray,
            ("wgpu", rest) => Self::Wgpu(Adapter::parse(rest).ok_or_else(unknown)?),
            ("vulkan", rest) => Self::Vulkan(Adapter::parse(rest).ok_or_else(unknown)?),
            ("cuda", rest) => Self::Cuda(rest.unwrap_or("0").parse().map_err(|_| unknown())?),
            ("remote", Some(address)) if address.contains(':') => Self::Remote(address.into()),
            _ => return Err(unknown()),
        })
    }
}

impl Adapter {
    fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None => Some(Self::Best),
            Some("cpu") => Some(Self::Software),
            Some(index) => index.parse().ok().map(Self::Discrete),
        }
    }

    #[cfg(feature = "wgpu")]
    fn kind(&self) -> burn::tensor::DeviceKind {
        use burn::tensor::DeviceKind;
        match self {
            Self::Best => DeviceKind::DefaultDevice,
            Self::Discrete(index) => DeviceKind::DiscreteGpu(*index),
            Self::Software => DeviceKind::Cpu,
        }
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => Ok(()),
            Self::Discrete(index) => write!(f, ":{index}"),
            Self::Software => write!(f, ":cpu"),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => write!(f, "flex"),
            Self::NdArray => write!(f, "ndarray"),
            Self::Wgpu(adapter) => write!(f, "wgpu{adapter}"),
            Self::Vulkan(adapter) => write!(f, "vulkan{adapter}"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Remote(address) => write!(f, "remote:{address}"),
        }
    }
}

impl DeviceName {
    /// Every kind of device: its name, the feature that adds it, and whether this build has it.
    pub const KINDS: [(&'static str, &'static str, bool); 6] = [
        ("flex", "flex", cfg!(feature = "flex")),
        ("ndarray", "ndarray", cfg!(feature = "ndarray")),
        ("wgpu[:N|:cpu]", "wgpu", cfg!(feature = "wgpu")),
        ("vulkan[:N|:cpu]", "vulkan", cfg!(feature = "vulkan")),
        ("cuda[:N]", "cuda", cfg!(feature = "cuda")),
        ("remote:HOST:PORT", "remote", cfg!(feature = "remote")),
    ];

    /// The device of this name.
    ///
    /// # Errors
    /// [`DeviceError::NotCompiled`] where the build lacks its backend.
    pub fn open(&self) -> Result<Device, DeviceError> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            #[expect(deprecated, reason = "kept as an independent CPU backend for parity checks")]
            Self::NdArray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu(adapter) => Ok(Device::wgpu(adapter.kind())),
            #[cfg(feature = "vulkan")]
            Self::Vulkan(adapter) => Ok(Device::vulkan(adapter.kind())),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => Ok(Device::cuda(*index)),
            #[cfg(feature = "remote")]
            Self::Remote(address) => Ok(Device::remote(address)),
            #[allow(unreachable_patterns, reason = "every arm above depends on a feature")]
            other => Err(DeviceError::NotCompiled { name: other.to_string(), feature: other.feature() }),
        }
    }

    fn feature(&self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu(_) => "wgpu",
            Self::Vulkan(_) => "vulkan",
            Self::Cuda(_) => "cuda",
            Self::Remote(_) => "remote",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["flex", "ndarray", "wgpu", "wgpu:1", "wgpu:cpu", "vulkan", "cuda:3", "remote:host:3000"] {
            assert_eq!(name.parse::<DeviceName>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse::<DeviceName>().unwrap(), DeviceName::Cuda(0));
    }

    #[test]
    fn wrong_names_are_errors_that_list_the_right_ones() {
        for name in ["", "gpu", "flex:0", "cuda:x", "remote", "remote:", "wgpu:fast"] {
            let error = name.parse::<DeviceName>().unwrap_err().to_string();
            assert!(error.contains("use flex"), "{error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_compiled_in_names_its_feature() {
        let error = DeviceName::Cuda(0).open().unwrap_err().to_string();
        assert_eq!(error, "device `cuda:0` is not in this build: build with `--features cuda`");
    }
}
