//! Minimum of a function of a few numbers between 0 and 1, which need not be smooth at the walls: Nelder & Mead's simplex
//! (The Computer Journal 7, 1965), each point moved back into the box.

const MAX_STEPS: usize = 500;
/// Relative spread of the values at which a simplex has arrived.
const SMALL_SPREAD: f64 = 1e-12;
/// Largest distance of its corners from the best.
const SMALL_SIZE: f64 = 1e-7;

type Corner = (Vec<f64>, f64);

/// The lowest point found from `start` and a simplex of edges `size`, and its value. A NaN counts as infinite.
pub(super) fn minimise(value: impl Fn(&[f64]) -> f64, start: &[f64], size: f64) -> Corner {
    let corner = |mut at: Vec<f64>| {
        at.iter_mut().for_each(|u| *u = u.clamp(0.0, 1.0));
        let value = value(&at);
        (at, if value.is_nan() { f64::INFINITY } else { value })
    };
    let mut corners = vec![corner(start.to_vec())];
    for i in 0..start.len() {
        let mut at = start.to_vec();
        at[i] += if at[i] + size <= 1.0 { size } else { -size };
        corners.push(corner(at));
    }
    for _ in 0..MAX_STEPS {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        if has_arrived(&corners) {
            break;
        }
        let worst = corners.len() - 1;
        let centre: Vec<f64> =
            (0..start.len()).map(|i| corners[..worst].iter().map(|c| c.0[i]).sum::<f64>() / worst as f64).collect();
        let towards = |corners: &[Corner], factor: f64| {
            corner(centre.iter().zip(&corners[worst].0).map(|(c, w)| c + factor * (w - c)).collect())
        };
        let reflected = towards(&corners, -1.0);
        if reflected.1 < corners[0].1 {
            let expanded = towards(&corners, -2.0);
            corners[worst] = if expanded.1 < reflected.1 { expanded } else { reflected };
        } else if reflected.1 < corners[worst - 1].1 {
            corners[worst] = reflected;
        } else {
            let contracted = towards(&corners, if reflected.1 < corners[worst].1 { -0.5 } else { 0.5 });
            if contracted.1 < reflected.1.min(corners[worst].1) {
                corners[worst] = contracted;
            } else {
                let (best, others) = corners.split_at_mut(1);
                for other in others {
                    *other = corner(other.0.iter().zip(&best[0].0).map(|(u, b)| (u + b) / 2.0).collect());
                }
            }
        }
    }
    corners.swap_remove(0)
}

/// Of sorted corners.
fn has_arrived(corners: &[Corner]) -> bool {
    let (best, worst) = (&corners[0], &corners[corners.len() - 1]);
    let far = corners.iter().flat_map(|c| c.0.iter().zip(&best.0)).fold(0.0f64, |far, (u, b)| far.max((u - b).abs()));
    far <= SMALL_SIZE || (worst.1 - best.1 <= SMALL_SPREAD * best.1.abs() && far <= 1e-4)
}
