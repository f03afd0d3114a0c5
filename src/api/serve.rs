//! The listening side: limits of connections, and an end that does not wait for streams.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::tls::{Tls, too_slow};

/// Connections at one time; more wait in the kernel's queue.
const CONNECTIONS: usize = 10_000;
/// A connection on which nothing moves for so long is closed. Longer than the longest wait; streams send a comment each 15 s.
const IDLE: Duration = Duration::from_secs(160);
/// The head of a request has so long to arrive, from when we are ready for it: a connection that is kept waits no longer for its next one.
const HEAD: Duration = Duration::from_secs(10);
/// How long requests at work may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// On requests that came by TLS.
#[derive(Clone, Copy, Debug)]
pub struct Secure;

/// The address of the other end.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves until `shutdown` ends, by TLS where there is a certificate; then streams end, requests at work get ten seconds. `stop` is [`ApiState::stop`](super::ApiState).
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<Tls>>,
    stop: CancellationToken,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let router: Router = router.with_state(());
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connections = TaskTracker::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (connection, peer) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (server, router, stop) = (server.clone(), router.clone(), stop.clone());
        match &tls {
            None => connections.spawn(attend(server, connection, peer, false, router, stop)),
            Some(tls) => {
                let acceptor = TlsAcceptor::from(tls.config());
                connections.spawn(async move {
                    let shaken = tokio::select! {
                        shaken = tokio::time::timeout(HEAD, acceptor.accept(connection)) => shaken.unwrap_or_else(|_| Err(too_slow())),
                        () = stop.cancelled() => return,
                    };
                    match shaken {
                        Ok(connection) => attend(server, connection, peer, true, router, stop).await,
                        Err(error) => tracing::debug!(%error, %peer, "no TLS handshake"),
                    }
                })
            }
        };
    }
    drop(listener);
    stop.cancel();
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!("requests were still at work when the server stopped");
    }
    Ok(())
}

/// The next connection, as soon as there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (Connection, SocketAddr) {
    // The semaphore is never closed.
    let permit = places.clone().acquire_owned().await.ok();
    let (stream, address) = loop {
        match listener.accept().await {
            Ok(accepted) => break accepted,
            // It went before it was accepted.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                // Too many open files, most likely: those that end make room.
                tracing::error!(%error, "accepting a connection");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    (Connection { stream, idle: Box::pin(tokio::time::sleep(IDLE)), moved: Instant::now(), _permit: permit }, address)
}

/// Serves a connection to its end; when the server stops, to the end of the request at work.
async fn attend<C: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    server: http1::Builder,
    connection: C,
    peer: SocketAddr,
    secure: bool,
    router: Router,
    stop: CancellationToken,
) {
    let service = tower::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(Peer(peer)));
        if secure {
            request.extensions_mut().insert(Secure);
        }
        let answer = router.clone().oneshot(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = pin!(server.serve_connection(TokioIo::new(connection), TowerToHyperService::new(service)));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// A connection that is closed when nothing moves on it.
struct Connection {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    moved: Instant,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Ready when nothing has moved for too long. The timer is moved on only when it fires: reads and writes cost a look at the clock.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.idle.as_mut().poll(cx));
            let until = self.moved + IDLE;
            if until <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.idle.as_mut().reset(until);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(done) => {
                self.moved = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_idle(cx).map(Err),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(done) => {
                self.moved = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_idle(cx).map(Err),
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, parts) {
            Poll::Ready(done) => {
                self.moved = Instant::now();
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_idle(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn started(stop: &CancellationToken) -> (SocketAddr, tokio::task::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = axum::routing::get(async |ConnectInfo(Peer(peer)): ConnectInfo<Peer>| {
            tokio::time::sleep(Duration::from_millis(300)).await;
            peer.to_string()
        });
        let shutdown = stop.clone();
        let router = Router::new().route("/", slow);
        (address, tokio::spawn(serve(listener, router, None, CancellationToken::new(), async move { shutdown.cancelled().await })))
    }

    #[tokio::test]
    async fn a_head_that_does_not_arrive_ends_the_connection() {
        let (address, server) = started(&CancellationToken::new()).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        let begun = Instant::now();
        let mut answer = Vec::new();
        let dripping = async {
            slow.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
            // A byte now and then: the connection never is idle.
            loop {
                let mut buffer = [0; 1024];
                tokio::select! {
                    read = slow.read(&mut buffer) => match read {
                        Ok(n) if n > 0 => answer.extend_from_slice(&buffer[..n]),
                        _ => break,
                    },
                    () = tokio::time::sleep(Duration::from_millis(500)) => drop(slow.write_all(b"a").await),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(15), dripping).await.unwrap();
        assert!((HEAD - Duration::from_secs(1)..HEAD + Duration::from_secs(3)).contains(&begun.elapsed()));
        server.abort();
    }

    #[tokio::test]
    async fn a_request_at_work_is_answered_when_the_server_stops() {
        let stop = CancellationToken::new();
        let (address, server) = started(&stop).await;
        let idle = TcpStream::connect(address).await.unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let begun = Instant::now();
        stop.cancel();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&stream.local_addr().unwrap().to_string()), "{answer}");
        server.await.unwrap().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits for those that are idle");
        drop(idle);
        assert!(TcpStream::connect(address).await.is_err());
    }
}
