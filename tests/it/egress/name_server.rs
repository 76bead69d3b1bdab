//! A small DNS server, and a resolver that asks only it.
use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::UdpSocket;

const HEADER: usize = 12;

/// Answers each query with the next of its answers; the last one repeats.
#[derive(Clone)]
pub struct NameServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    answers: VecDeque<Vec<Ipv4Addr>>,
    queries: usize,
}

impl NameServer {
    pub async fn start(answers: &[&[[u8; 4]]]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let answers = answers.iter().map(|answer| answer.iter().map(|it| (*it).into()).collect());
        let state = Arc::new(Mutex::new(State { answers: answers.collect(), queries: 0 }));
        tokio::spawn(serve(socket, state.clone()));
        Self { address, state }
    }

    pub fn queries(&self) -> usize {
        self.state.lock().unwrap().queries
    }
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut query = [0; 512];
    loop {
        let (length, sender) = socket.recv_from(&mut query).await.unwrap();
        let answer = {
            let mut state = state.lock().unwrap();
            state.queries += 1;
            let next = state.answers.front().unwrap().clone();
            if state.answers.len() > 1 {
                state.answers.pop_front();
            }
            next
        };
        socket.send_to(&response(&query[..length], &answer), sender).await.unwrap();
    }
}

/// RFC 1035, section 4: the header and the question as they came, then one record for each address, not to be cached.
fn response(query: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let mut response = query.to_vec();
    response[2..4].copy_from_slice(&[0x81, 0x80]);
    response[7] = u8::try_from(addresses.len()).unwrap();
    for address in addresses {
        // A pointer to the name in the question; type A, class IN, lifetime 0, four bytes.
        response.extend([0xc0, u8::try_from(HEADER).unwrap(), 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        response.extend(address.octets());
    }
    response
}

impl Resolve for NameServer {
    fn resolve(&self, name: Name) -> Resolving {
        let server = self.address;
        Box::pin(async move {
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(server).await?;
            let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            for label in name.as_str().split('.') {
                query.push(u8::try_from(label.len())?);
                query.extend(label.bytes());
            }
            query.extend([0, 0, 1, 0, 1]);
            socket.send(&query).await?;
            let mut response = [0; 512];
            let length = socket.recv(&mut response).await?;
            let records = response[query.len()..length].chunks_exact(16);
            let addresses: Vec<_> = records
                .map(|record| <[u8; 4]>::try_from(&record[12..]).unwrap())
                .map(|octets| SocketAddr::new(IpAddr::from(octets), 0))
                .collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
