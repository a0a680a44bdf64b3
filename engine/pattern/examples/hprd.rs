use penstock_pattern::format::{ReadOptions, tve};
use penstock_pattern::*;
use std::io::BufReader;
fn main() {
    let dir = "/work/shared/corpus/graph";
    let open = |p: String| BufReader::new(std::fs::File::open(p).unwrap());
    let graph =
        tve::read_graph(open(format!("{dir}/HPRD.graph")), &ReadOptions::default()).unwrap();
    let mut patterns = vec![];
    for e in std::fs::read_dir(format!("{dir}/query")).unwrap() {
        patterns.push(
            tve::read_pattern(
                open(e.unwrap().path().display().to_string()),
                &ReadOptions::default(),
            )
            .unwrap(),
        );
    }
    let reps: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    for dominance in [None, Some(DominanceRecipe::default())] {
        let t = std::time::Instant::now();
        let host = Host::with(graph.clone(), &HostOptions { dominance }).unwrap();
        println!("host {:?}", t.elapsed());
        for r in 0..reps {
            let (mut s, mut steps, mut c, mut worst, mut n) = (0.0, 0, 0, 0.0f64, 0);
            for p in &patterns {
                let o = host.count(p, &MatchOptions::default()).unwrap();
                s += o.seconds;
                steps += o.steps;
                c += o.candidates;
                worst = worst.max(o.seconds);
                n += o.count;
            }
            if r < 3 || r + 1 == reps {
                println!(
                    "{:.3} ms worst {:.3} steps {steps} cand {c} count {n}",
                    s * 1e3,
                    worst * 1e3
                );
            }
        }
    }
}
