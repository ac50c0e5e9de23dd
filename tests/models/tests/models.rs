//! src/park as it is does what the models say.

use libmp_models::models;
use std::time::Instant;

#[test]
fn each_holds() {
    for (name, model) in models::all() {
        let (began, before) = (Instant::now(), models::runs());
        println!("{name}");
        model();
        println!("    in {} ways, {:?}", models::runs() - before, began.elapsed());
    }
}
