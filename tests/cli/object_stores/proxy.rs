//! Defines [`Proxy`]: a bad connection to a server on this machine.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered by 503 and never carried out.
    Busy,
    /// The connection breaks before it is carried out.
    Reset,
    /// It is carried out; then the connection ends without an answer.
    Silence,
    /// It is carried out; then the connection breaks.
    LateReset,
    /// It is carried out; then the connection ends within the answer.
    Torn,
}

const FAULTS: [Fault; 5] = [Fault::Busy, Fault::Reset, Fault::Silence, Fault::LateReset, Fault::Torn];
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Listens until the tests end.
pub struct Proxy {
    pub port: u16,
    faults: Arc<AtomicUsize>,
}

impl Proxy {
    /// `plan` decides by a request's head and number what happens to it.
    pub fn start(server: u16, plan: impl Fn(&str, usize) -> Option<Fault> + Send + Sync + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (plan, faults, calls) = (Arc::new(plan), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = faults.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (plan, counted, calls) = (plan.clone(), counted.clone(), calls.clone());
                let fault = move |head: &str| {
                    let fault = plan(head, calls.fetch_add(1, Ordering::Relaxed));
                    counted.fetch_add(usize::from(fault.is_some()), Ordering::Relaxed);
                    fault
                };
                // Whoever sits at the other end hears of an error by the end of the connection.
                std::thread::spawn(move || serve(client, server, fault));
            }
        });
        Proxy { port, faults }
    }

    /// Of ten calls one fails. Which ones, and how, `seed` decides.
    pub fn one_in_ten(server: u16, seed: u64) -> Proxy {
        Proxy::start(server, move |_, call| {
            let mut hasher = DefaultHasher::new();
            (seed, call).hash(&mut hasher);
            let draw = hasher.finish() as usize;
            draw.is_multiple_of(10).then(|| FAULTS[draw / 10 % FAULTS.len()])
        })
    }

    /// How many calls failed so far.
    pub fn faults(&self) -> usize {
        self.faults.load(Ordering::Relaxed)
    }
}

/// One request, one answer, and the connection ends. Where it ends with a byte unread, the other end sees it break.
fn serve(mut client: TcpStream, server: u16, fault: impl Fn(&str) -> Option<Fault>) -> Result<()> {
    let mut request = Vec::new();
    read_until(&mut client, b"\r\n\r", &mut request)?;
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    // All but the last byte: of the body, or of the head if there is none.
    let read = request.len();
    request.resize(read + length, 0);
    client.read_exact(&mut request[read..])?;
    let mut last = [0];
    client.peek(&mut last)?;
    request.push(last[0]);

    let fault = fault(&head);
    if fault == Some(Fault::Reset) {
        return Ok(());
    }
    let answer = match fault {
        Some(Fault::Busy) => BUSY.into(),
        _ => forward(&request, server)?,
    };
    if fault == Some(Fault::LateReset) {
        return Ok(());
    }
    client.read_exact(&mut last)?;
    match fault {
        Some(Fault::Silence) => Ok(()),
        Some(Fault::Torn) => client.write_all(&answer[..answer.len() / 2]),
        _ => client.write_all(&answer),
    }
}

fn read_until(stream: &mut TcpStream, end: &[u8], read: &mut Vec<u8>) -> Result<()> {
    let mut byte = [0];
    while !read.ends_with(end) {
        stream.read_exact(&mut byte)?;
        read.push(byte[0]);
    }
    Ok(())
}

/// The server's answer, after which it ends the connection, and says so.
fn forward(request: &[u8], server: u16) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", server))?;
    let line = request.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    stream.write_all(&[&request[..line], b"Connection: close\r\n", &request[line..]].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
