//! Parity with the reference implementation, on the golden files of `bench/reference`.

use super::*;
use crate::model::surface::tests::{
    Golden, SAME, Scratch, changed, checkpoint, conforms, embed, moved, open, same, torus,
};

const GOLDEN: [&str; 2] = ["meshgraphnet", "meshgraphnet-odd"];

fn load(name: &str) -> MeshGraphNet {
    MeshGraphNet::load(&checkpoint(name), &Device::Cpu).unwrap()
}

fn numbers(blocks: &[Tensor]) -> Vec<f32> {
    let whole = Tensor::cat(blocks, 0).unwrap();
    whole.flatten_all().unwrap().to_vec1().unwrap()
}

fn nodes(states: &[State]) -> Vec<f32> {
    let nodes: Vec<Tensor> = states.iter().map(|state| state.nodes.clone()).collect();
    numbers(&nodes)
}

#[test]
fn every_step_equals_the_reference() {
    for name in GOLDEN {
        let (golden, model) = (Golden::read(name), load(name));
        let mut seen = 0;
        for (case, mesh) in golden.meshes().into_iter().enumerate() {
            let mesh = model.surface.framed(mesh);
            let graph = model.graph(&mesh);
            let Some(edges) = golden.edges(case) else {
                assert_eq!(graph.len(), 0, "{name}, case {case}");
                continue;
            };
            let (senders, receivers) = edges.split_at(edges.len() / 2);
            assert_eq!(graph.senders, senders, "{name}, case {case}");
            for (i, range) in graph.offsets.windows(2).enumerate() {
                let same = |r: &u32| *r as usize == i;
                assert!(receivers[range[0]..range[1]].iter().all(same));
            }
            let expected = golden.numbers(&format!("{case}.inputs")).unwrap();
            same(&model.surface.features(&mesh), &expected, 1e-5, name);
            let mut step = 0;
            let mut see = |states: &[State]| {
                let expected = golden.numbers(&format!("{case}.hidden.{step}")).unwrap();
                let what = format!("{name}, case {case}, step {step}");
                same(&nodes(states), &expected, SAME, &what);
                step += 1;
                Ok(())
            };
            model.forward(&mesh, graph, &mut see).unwrap();
            assert_eq!(step, model.steps.len() + 1);
            seen += 1;
        }
        assert!(seen >= 3, "{name}");
    }
}

#[test]
fn conforms_to_what_all_models_do() {
    GOLDEN.into_iter().for_each(conforms);
}

#[test]
fn blocks_change_rounding_only() {
    for name in GOLDEN {
        let mut model = load(name);
        let mesh = model.surface.framed(torus(41, 23));
        let whole = |model: &MeshGraphNet| {
            let hidden = model.forward(&mesh, model.graph(&mesh), &mut |_| Ok(()));
            numbers(&hidden.unwrap())
        };
        let blocks = whole(&model);
        model.rows = 1 << 16;
        same(&blocks, &whole(&model), 2e-5, name);
    }
}

#[test]
fn a_place_does_not_matter_where_it_is_no_input() {
    let mesh = torus(9, 7);
    let other = moved(&mesh, [8.0, -5.0, 16.0], 1.0);
    let vectors = embed(&*open("meshgraphnet"), &[mesh, other], Pooling::None);
    same(&vectors[0], &vectors[1], 1e-4, "moved");
}

#[test]
fn points_need_neighbours() {
    let mut points = torus(9, 7);
    points.faces.clear();
    let without = embed(&*open("meshgraphnet"), &[points.clone()], Pooling::Mean);
    assert!(without[0].is_empty());
    let with = embed(&*open("meshgraphnet-odd"), &[points], Pooling::Mean);
    assert_eq!(with[0].len(), 19);
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let place = Scratch::new("graph");
    let error = |change: &dyn Fn(&mut serde_json::Value)| {
        let error = changed("meshgraphnet", &place.0, change).err().unwrap();
        let fault = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error} {}", fault.unwrap_or_default())
    };
    let text = error(&|config| config["processor_size"] = 4.into());
    assert!(
        text.contains("missing `processor.processor_layers.6.edge_mlp.model.0.bias`"),
        "{text}"
    );
    let text = error(&|config| config["do_concat_trick"] = true.into());
    assert!(text.contains("lin_dst"), "{text}");
    let text = error(&|config| config["aggregation"] = "max".into());
    assert!(text.contains("config.json"), "{text}");
    let text = error(&|config| config["edge_std"] = serde_json::json!([1, 1, 1]));
    assert!(text.contains("edge_std"), "{text}");
}
