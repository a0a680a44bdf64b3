//! Parity with the reference implementation, on the golden files of `bench/reference`.

use super::*;
use crate::model::surface::tests::{
    Golden, SAME, checkpoint, conforms, embed, moved, open, same, torus,
};

const GOLDEN: [&str; 3] = ["transolver", "transolver-odd", "transolver-slices"];

fn load(name: &str) -> Transolver {
    Transolver::load(&checkpoint(name), &Device::Cpu).unwrap()
}

fn framed(model: &Transolver, mesh: &Mesh) -> Mesh {
    model.surface.framed(mesh.clone())
}

fn numbers(blocks: &[Tensor]) -> Vec<f32> {
    let whole = Tensor::cat(blocks, 0).unwrap();
    whole.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn every_layer_equals_the_reference() {
    for name in GOLDEN {
        let (golden, model) = (Golden::read(name), load(name));
        for (case, mesh) in golden.meshes().iter().enumerate() {
            let mesh = framed(&model, mesh);
            let features = model.surface.features(&mesh);
            let inputs = model.inputs(&mesh.points, &features).unwrap();
            let expected = golden.numbers(&format!("{case}.inputs")).unwrap();
            same(&numbers(&[inputs]), &expected, 1e-5, name);
            let mut layer = 0;
            let mut see = |hidden: &[Tensor]| {
                let expected = golden.numbers(&format!("{case}.hidden.{layer}")).unwrap();
                let what = format!("{name}, case {case}, layer {layer}");
                same(&numbers(hidden), &expected, SAME, &what);
                layer += 1;
                Ok(())
            };
            model.forward(&mesh, &mut see).unwrap();
            assert_eq!(layer, model.blocks.len() + 1);
        }
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
        let mesh = framed(&model, &torus(41, 23));
        let whole = |model: &Transolver| numbers(&model.forward(&mesh, &mut |_| Ok(())).unwrap());
        let blocks = whole(&model);
        model.rows = 1 << 16;
        same(&blocks, &whole(&model), 2e-5, name);
    }
}

#[test]
fn the_unit_frame_takes_place_and_size_away() {
    let mesh = torus(9, 7);
    let other = moved(&mesh, [30.0, -5.0, 100.0], 0.001);
    let model = open("transolver-odd");
    let vectors = embed(&*model, &[mesh.clone(), other.clone()], Pooling::None);
    same(&vectors[0], &vectors[1], 1e-4, "unit");
    let vectors = embed(&*open("transolver"), &[mesh, other], Pooling::Mean);
    assert_ne!(vectors[0], vectors[1]);
}
