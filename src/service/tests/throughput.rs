//! Not a test: figures. `cargo test --release --lib service::tests::throughput -- --ignored --nocapture`

use std::time::{Duration, Instant};

use super::*;

#[sqlx::test]
#[ignore = "figures, not a test"]
async fn writes_and_reads_a_second(_: sqlx::postgres::PgPoolOptions, options: PgConnectOptions) {
    // sqlx's tests have one thread; a server has more.
    let figures = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(measure(options));
    });
    figures.join().unwrap();
}

async fn measure(options: PgConnectOptions) {
    let vhosts: usize = std::env::var("VHOSTS").ok().and_then(|v| v.parse().ok()).unwrap_or(1000);
    let house = Arc::new(House::new(options).await);
    house.furnish().await;
    let started = Instant::now();
    let many = (0..vhosts).map(|i| {
        let op = Operation::Put { kind: Kind::Vhost, name: n(&format!("v{i}")), value: vhost(&format!("v{i}"), "base") };
        house.write(op, Precondition::Absent)
    });
    futures::future::join_all(many).await;
    println!("{vhosts} vhosts created in {:?}", started.elapsed());

    for hot in [true, false] {
        let until = Instant::now() + Duration::from_secs(4);
        let tasks: Vec<_> = (0..64)
            .map(|w| {
                let house = Arc::clone(&house);
                tokio::spawn(async move {
                    let mut count = 0u64;
                    let name = if hot { "shop".to_owned() } else { format!("v{w}") };
                    while Instant::now() < until {
                        house.patch(Kind::Vhost, &name, json!({"title": format!("{w} {count}")})).await.unwrap();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let mut count = 0;
        for task in tasks {
            count += task.await.unwrap();
        }
        println!("{} PATCH a second, 64 writers, {}", count / 4, if hot { "one object" } else { "64 objects" });
    }
    let started = Instant::now();
    for _ in 0..1_000_000 {
        std::hint::black_box(house.service.vhost(&caller(), "shop").unwrap());
    }
    println!("{:?} a read", started.elapsed() / 1_000_000);
    let options = house.options.clone();
    house.service.close().await;
    drop(house);
    let started = Instant::now();
    let house = House::new(options).await;
    println!("up in {:?} with {} vhosts", started.elapsed(), house.service.head().vhosts.len());
    house.service.close().await;
}
