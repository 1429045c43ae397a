//! Where libtorch comes from: an existing `LIBTORCH`, or the official PyPI wheel unpacked once into the user's cache.
//!
//! Everything is fetched and unpacked beside its final place and renamed there, so an interrupted set-up leaves nothing half.

use crate::{Outcome, python, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const VERSION: &str = "2.11.0";
/// Wheels that together hold the CPU half of libtorch.
const WHEELS: [&str; 3] = ["torch==2.11.0", "nvidia-cuda-runtime==13.0.*", "nvidia-cuda-cupti==13.0.*"];
const PLATFORMS: [&str; 4] =
    ["manylinux_2_28_x86_64", "manylinux_2_25_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"];

/// Takes the headers and CPU libraries out of the wheels in `argv[1]` and lays them out in `argv[2]`.
/// `libtorch.so` becomes a linker script, because the real one drags in CUDA.
const UNPACK: &str = r#"
import os, pathlib, shutil, sys, zipfile
wheels, out = map(pathlib.Path, sys.argv[1:3])
wanted = {"libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"}
for wheel in wheels.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if entry.is_dir():
                continue
            name = entry.filename
            if name.startswith("torch/include/"):
                target = out / name[len("torch/"):]
            elif "/lib/" in name and os.path.basename(name) in wanted:
                target = out / "lib" / os.path.basename(name)
                wanted.discard(os.path.basename(name))
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink)
if wanted:
    sys.exit(f"the wheels lack {sorted(wanted)}")
(out / "lib" / "libtorch.so").write_text("INPUT(-ltorch_cpu)\n")
"#;

/// Makes sure that libtorch is there and that cargo knows where.
pub(crate) fn ensure(workspace: &Path) -> Outcome {
    let cached = cache()?.join(format!("libtorch-{VERSION}"));
    // Cargo's [env] hands our own setting back to us as LIBTORCH: only another path is the user's.
    let users = env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| *path != cached);
    let libtorch = match users {
        Some(path) if path.join("lib/libtorch_cpu.so").exists() => path,
        Some(path) => {
            return Err(format!(
                "LIBTORCH={} holds no lib/libtorch_cpu.so; point it at a libtorch {VERSION} folder or unset it",
                path.display()
            ));
        }
        None => {
            if !cached.join("build-version").exists() {
                fetch(&cached)?;
            }
            cached
        }
    };
    configure_cargo(workspace, &libtorch)
}

fn cache() -> Result<PathBuf, String> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env::var_os("HOME").ok_or("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    Ok(base.join("perennial"))
}

fn fetch(target: &Path) -> Outcome {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(format!(
            "only Linux on x86-64 is set up by itself; elsewhere set LIBTORCH to a libtorch {VERSION} folder, or build without the trainer: cargo build --no-default-features"
        ));
    }
    let parent = target.parent().ok_or("the cache folder has no parent")?;
    let wheels = parent.join(format!("wheels-{VERSION}"));
    fs::create_dir_all(&wheels).map_err(|e| format!("{}: {e}", wheels.display()))?;
    println!("fetching libtorch {VERSION} from PyPI (540 MB, once) into {}", parent.display());
    for wheel in WHEELS {
        let mut pip = Command::new(python());
        pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp"]);
        pip.args(["--python-version", "311", "--dest"]).arg(&wheels);
        for platform in PLATFORMS {
            pip.args(["--platform", platform]);
        }
        run(pip.arg(wheel))?;
    }
    let partial = parent.join(format!("libtorch-{VERSION}.partial-{}", std::process::id()));
    run(Command::new(python()).args(["-c", UNPACK]).arg(&wheels).arg(&partial))?;
    let io = |e: std::io::Error| format!("{}: {e}", target.display());
    fs::write(partial.join("build-version"), VERSION).map_err(io)?;
    if target.exists() {
        fs::remove_dir_all(target).map_err(io)?;
    }
    fs::rename(&partial, target).map_err(io)?;
    fs::remove_dir_all(&wheels).map_err(io)
}

/// `.cargo/libtorch.toml` is included by `.cargo/config.toml`: after it, plain cargo commands work too. The rpath is a
/// flag of every target, because tests, doctests and benches link libtorch as well as the binary.
fn configure_cargo(workspace: &Path, libtorch: &Path) -> Outcome {
    let path = libtorch.display();
    let flags = format!(r#"["-C", "link-arg=-Wl,-rpath,{path}/lib"]"#);
    let text = format!("[env]\nLIBTORCH = \"{path}\"\n\n[build]\nrustflags = {flags}\nrustdocflags = {flags}\n");
    let file = workspace.join(".cargo/libtorch.toml");
    if fs::read_to_string(&file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))
}
