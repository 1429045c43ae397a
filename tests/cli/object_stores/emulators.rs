//! Defines [`Emulator`]: an object store on this machine, which ends with the test.

use crate::support::Folder;
use std::ffi::OsString;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the library and the test of published folders call the same.
const READERS: &str = "PERENNIAL_READERS";

/// Whose protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    S3,
    Azure,
}

/// A server with one bucket or container.
pub struct Emulator {
    cloud: Cloud,
    python: OsString,
    process: Child,
    pub port: u16,
}

impl Emulator {
    /// None if it is not installed, which is said; with `CI=true` that is a failure.
    pub fn start(cloud: Cloud) -> Option<Emulator> {
        let emulator = std::env::var_os(READERS).and_then(|python| Emulator::of(cloud, python));
        if emulator.is_none() {
            let missing = format!("{READERS} names no Python with the emulator of {cloud:?} as .ci/run installs it");
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{missing}");
            eprintln!("skipped: {missing}");
        }
        emulator
    }

    fn of(cloud: Cloud, python: OsString) -> Option<Emulator> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let (server, bucket) = match cloud {
            Cloud::S3 => ("s3", "bucket"),
            Cloud::Azure => ("azure", "container"),
        };
        let mut command = script(&python, server, port);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("Python runs");
        let mut emulator = Emulator { cloud, python, process, port };
        let is_up = emulator.wait();
        is_up.then(|| emulator.prepare(bucket)).map(|_| emulator)
    }

    /// Whether it listens; false if it ended.
    fn wait(&mut self) -> bool {
        for _ in 0..600 {
            if self.process.try_wait().expect("a process").is_some() {
                return false;
            }
            // Before anybody listens there, a connection may come out at the very port that it goes to.
            let is_to_another = |stream: TcpStream| stream.local_addr().ok() != stream.peer_addr().ok();
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok_and(is_to_another) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the emulator of {:?} does not answer", self.cloud);
    }

    /// What a command of the script prints.
    pub fn prepare(&self, command: &str) -> String {
        let output = script(&self.python, command, self.port).output().expect("Python runs");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The URL of `name` in the bucket.
    pub fn url(&self, name: &str) -> String {
        match self.cloud {
            Cloud::S3 => format!("s3://bucket/{name}"),
            Cloud::Azure => format!("az://container/{name}"),
        }
    }

    /// A folder whose commands find the server at `port`: its own, or that of a proxy.
    pub fn folder(&self, port: u16) -> Folder {
        let url = format!("http://127.0.0.1:{port}");
        match self.cloud {
            Cloud::S3 => Folder::new()
                .with("AWS_ACCESS_KEY_ID", "test")
                .with("AWS_SECRET_ACCESS_KEY", "test")
                .with("AWS_REGION", "us-east-1")
                .with("AWS_ENDPOINT_URL", &url),
            Cloud::Azure => {
                Folder::new().with("AZURE_STORAGE_USE_EMULATOR", "true").with("AZURITE_BLOB_STORAGE_URL", &url)
            }
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn script(python: &OsString, command: &str, port: u16) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/object_stores/emulators.py");
    let mut process = Command::new(python);
    process.arg(script).arg(command).arg(port.to_string());
    process
}
