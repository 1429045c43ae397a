//! Where to compute, and with how many threads.
//!
//! The program links only the CPU half of libtorch, so that one binary runs with and without a GPU. The CUDA half is
//! loaded by hand, from the folder where the CPU half was found, *before* anything asks libtorch about CUDA: it
//! remembers its first answer.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use tch::kind::Element;
use tch::{Cuda, Device, Kind, Tensor};

use crate::{DeviceChoice, Error, Result};

/// The device for a choice.
///
/// # Errors
/// CUDA asked for and not usable, with the reason.
pub(crate) fn open(choice: DeviceChoice) -> Result<Device> {
    // Also for `cpu`: the first seed makes libtorch look for CUDA, and a later task of this process may want it.
    match (choice, cuda()) {
        (DeviceChoice::Cpu, _) | (DeviceChoice::Auto, Err(_)) => Ok(Device::Cpu),
        (DeviceChoice::Auto | DeviceChoice::Cuda, Ok(())) => Ok(Device::Cuda(0)),
        (DeviceChoice::Cuda, Err(reason)) => Err(Error::Device { asked: "cuda", reason }),
    }
}

/// How many threads this machine runs at once.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `f` with libtorch on `threads` CPU threads. Their number, on which the last bits of a sum depend, and the random
/// numbers belong to the whole process, so whatever else of this crate computes waits meanwhile.
pub(crate) fn alone<T>(threads: usize, f: impl FnOnce() -> T) -> T {
    static ALONE: Mutex<()> = Mutex::new(());
    let _guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    f()
}

/// The same, with random numbers decided by `seed`.
pub(crate) fn seeded<T>(threads: usize, seed: i64, f: impl FnOnce() -> T) -> T {
    alone(threads, || {
        tch::manual_seed(seed);
        f()
    })
}

/// Values as a tensor on the device. Nothing waits for them to arrive there: all threads use the device's one default
/// stream, so what it is told next, it does after.
pub(crate) fn send<T: Element>(values: &[T], device: Device) -> Tensor {
    let here = Tensor::from_slice(values);
    match device.is_cuda() {
        // By its inner name: the outer one warns on every call that it will ask no more for the device.
        true => here.internal_pin_memory(device).to_device_(device, T::KIND, true, false),
        false => here,
    }
}

/// The numbers of a tensor in this machine's memory, to change in place.
///
/// # Panics
/// Of another kind than fp32, on a GPU, or not contiguous.
#[allow(unsafe_code)]
pub(crate) fn floats_mut(tensor: &mut Tensor) -> &mut [f32] {
    assert!(tensor.kind() == Kind::Float && tensor.device() == Device::Cpu && tensor.is_contiguous());
    // SAFETY: the tensor has so many floats there, side by side, and lives as long as the slice. Other tensors may look at
    // the same memory; nobody reads them meanwhile, as libtorch's threads are done when a call returns.
    unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) }
}

/// Whether CUDA is usable in this process; asked once.
fn cuda() -> std::result::Result<(), String> {
    static CUDA: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let load = || {
        load_cuda_library()?;
        if Cuda::is_available() { Ok(()) } else { Err("libtorch has CUDA, but finds no usable GPU".to_owned()) }
    };
    CUDA.get_or_init(load).clone()
}

fn load_cuda_library() -> std::result::Result<(), String> {
    const LIBRARY: &str = "libtorch_cuda.so";
    // Beside the CPU half, because both must be of one build; by name only where that cannot be known.
    let path = libtorch_folder().map_or_else(|| PathBuf::from(LIBRARY), |folder| folder.join(LIBRARY));
    let name = CString::new(path.to_string_lossy().as_bytes()).map_err(|error| error.to_string())?;
    dynamic::load(&name)
}

/// The folder from which this process loaded libtorch, as the kernel tells it.
fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("/libtorch_cpu.so"))?;
    let path = line.get(line.find('/')?..)?;
    Some(PathBuf::from(path).parent()?.to_path_buf())
}

/// Loading a library runs foreign code and has no safe form in Rust.
#[allow(unsafe_code)]
mod dynamic {
    use std::ffi::CStr;

    /// Loads a library for the rest of the process, its symbols visible to libraries loaded before.
    pub(super) fn load(name: &CStr) -> Result<(), String> {
        // SAFETY: `name` ends in NUL and outlives the call; the handle is never closed, so nothing dangles.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if !handle.is_null() {
            return Ok(());
        }
        // SAFETY: after a failed `dlopen`, `dlerror` gives a string of its own or null.
        let message = unsafe {
            let message = libc::dlerror();
            if message.is_null() { c"unknown reason" } else { CStr::from_ptr(message) }
        };
        Err(message.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_folder_of_the_linked_libtorch() {
        assert!(libtorch_folder().unwrap().join("libtorch_cpu.so").exists());
    }

    #[test]
    fn cuda_is_there_or_says_why_not() {
        match open(DeviceChoice::Cuda) {
            Ok(device) => assert_eq!(open(DeviceChoice::Auto).unwrap(), device),
            Err(error) => {
                assert!(error.to_string().contains("`cuda` is not usable here: "), "{error}");
                assert_eq!(open(DeviceChoice::Auto).unwrap(), Device::Cpu);
            }
        }
    }
}
