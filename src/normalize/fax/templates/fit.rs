//! How a form lies on a page: moved, turned a little, larger or smaller, and not quite alike both ways.
//!
//! # Design notes
//! A scanner moves and turns a page, a fax machine squeezes it into its margins and feeds it a little too fast. So words of the form that
//! were found on the page are laid over their places on the form: first every two of them propose how the form lies, and the proposal that
//! most others bear out is kept; then all of those are fitted together. A word that stands elsewhere on the page too, or was filled in by
//! somebody, bears out nothing and does no harm.

use super::ANCHORS_SPREAD_MM_MIN;

/// A place in millimetres, from the left and from the top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

impl Point {
    pub(super) fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// From places on the form to places on the page: `x = across[0] * x + across[1] * y + across[2]`, and likewise down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    across: [f64; 3],
    down: [f64; 3],
}

/// A form found on a page.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) fit: Fit,
    /// Of each anchor, which of its places on the page bears the fit out.
    pub(super) borne_out: Vec<Option<usize>>,
}

/// How far from its place an anchor may be found: first, while two anchors alone propose, then with all together. Lines of print are
/// further apart.
const NEAR_MM: f64 = 3.5;
const NEAR_MM_FITTED: f64 = 2.0;
/// Two anchors nearer to each other say too little of how the page is turned.
const SPAN_MM_MIN: f64 = 25.0;
/// How much smaller or larger a form may come out, and how far turned (its tangent, six degrees).
const SCALE: std::ops::RangeInclusive<f64> = 0.8..=1.25;
const TURN_MAX: f64 = 0.105;
/// How differently it may be stretched across and down, and how far slanted.
const UNEVEN_MAX: f64 = 0.06;
/// So many proposals are tried, those of the rarest words first.
const PROPOSALS_MAX: usize = 2_000;

impl Fit {
    pub(super) fn to_page(self, at: Point) -> Point {
        let [a, b, c] = self.across;
        let [d, e, f] = self.down;
        Point { x: a * at.x + b * at.y + c, y: d * at.x + e * at.y + f }
    }

    /// The place on the form of a place on the page.
    pub(super) fn to_form(self, at: Point) -> Point {
        let [a, b, c] = self.across;
        let [d, e, f] = self.down;
        let (x, y, size) = (at.x - c, at.y - f, a * e - b * d);
        Point { x: (e * x - b * y) / size, y: (a * y - d * x) / size }
    }

    /// Moved, turned and enlarged evenly, as near as the pairs allow.
    fn even(pairs: &[(Point, Point)]) -> Option<Self> {
        let (from, to) = (middle(pairs.iter().map(|pair| pair.0))?, middle(pairs.iter().map(|pair| pair.1))?);
        let (mut along, mut aside, mut size) = (0.0, 0.0, 0.0);
        for (form, page) in pairs {
            let (x, y) = (form.x - from.x, form.y - from.y);
            let (u, v) = (page.x - to.x, page.y - to.y);
            along += x * u + y * v;
            aside += x * v - y * u;
            size += x * x + y * y;
        }
        if size <= f64::EPSILON {
            return None;
        }
        let (a, d) = (along / size, aside / size);
        Some(Self::about([a, -d], [d, a], from, to))
    }

    /// The same, stretched and slanted too; none where the pairs lie too much on one line to tell.
    fn uneven(pairs: &[(Point, Point)]) -> Option<Self> {
        const PAIRS_MIN: usize = 5;
        /// How far off one line they must lie, as a share.
        const BREADTH_MIN: f64 = 0.01;
        let (from, to) = (middle(pairs.iter().map(|pair| pair.0))?, middle(pairs.iter().map(|pair| pair.1))?);
        let (mut xx, mut xy, mut yy, mut xu, mut yu, mut xv, mut yv) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for (form, page) in pairs {
            let (x, y) = (form.x - from.x, form.y - from.y);
            let (u, v) = (page.x - to.x, page.y - to.y);
            (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
            (xu, yu, xv, yv) = (xu + x * u, yu + y * u, xv + x * v, yv + y * v);
        }
        let size = xx * yy - xy * xy;
        if pairs.len() < PAIRS_MIN || size < BREADTH_MIN * (xx + yy).powi(2) {
            return None;
        }
        let across = [(xu * yy - yu * xy) / size, (yu * xx - xu * xy) / size];
        let down = [(xv * yy - yv * xy) / size, (yv * xx - xv * xy) / size];
        Some(Self::about(across, down, from, to))
    }

    fn about([a, b]: [f64; 2], [d, e]: [f64; 2], from: Point, to: Point) -> Self {
        Self { across: [a, b, to.x - a * from.x - b * from.y], down: [d, e, to.y - d * from.x - e * from.y] }
    }

    /// Whether a page can come to lie so.
    fn is_likely(self) -> bool {
        let ([a, b, _], [d, e, _]) = (self.across, self.down);
        let even = (a - e).abs() <= UNEVEN_MAX && (b + d).abs() <= UNEVEN_MAX;
        even && SCALE.contains(&a) && SCALE.contains(&e) && b.abs() <= TURN_MAX * a && d.abs() <= TURN_MAX * a
    }

    /// Of each anchor the place on the page that bears the fit out, and how far off they are in all.
    fn borne_out(self, anchors: &[Point], seen: &[Vec<Point>], near: f64) -> (Vec<Option<usize>>, f64) {
        let mut off = 0.0;
        let of_each = anchors.iter().zip(seen).map(|(anchor, seen)| {
            let due = self.to_page(*anchor);
            let distances = seen.iter().map(|at| at.distance(due)).enumerate();
            let (nearest, distance) = distances.min_by(|one, other| one.1.total_cmp(&other.1)).filter(|one| one.1 <= near)?;
            off += distance;
            Some(nearest)
        });
        (of_each.collect(), off)
    }
}

fn middle(points: impl Iterator<Item = Point>) -> Option<Point> {
    let (count, x, y) = points.fold((0_u32, 0.0, 0.0), |(count, x, y), point| (count + 1, x + point.x, y + point.y));
    (count > 0).then(|| Point { x: x / f64::from(count), y: y / f64::from(count) })
}

/// How far apart the outermost points lie.
fn spread(points: &[Point]) -> f64 {
    let far = points.iter().enumerate().flat_map(|(at, one)| points.iter().skip(at + 1).map(|other| one.distance(*other)));
    far.fold(0.0, f64::max)
}

/// Lays a form over a page. `anchors` are the places of its words on the form, `seen` where each of them was found on the page.
pub(super) fn place(anchors: &[Point], seen: &[Vec<Point>]) -> Option<Placed> {
    let mut best: Option<(usize, f64, Fit)> = None;
    for pairs in proposals(anchors, seen) {
        let Some(fit) = Fit::even(&pairs).filter(|fit| fit.is_likely()) else { continue };
        let (borne_out, off) = fit.borne_out(anchors, seen, NEAR_MM);
        let count = borne_out.iter().flatten().count();
        if best.is_none_or(|(most, least, _)| count > most || (count == most && off < least)) {
            best = Some((count, off, fit));
        }
    }
    let (_, _, mut fit) = best?;
    let mut near = NEAR_MM;
    // What is borne out changes the fit a little, and the fit what is borne out.
    for _ in 0..3 {
        let pairs = paired(anchors, seen, &fit.borne_out(anchors, seen, near).0);
        let fitted = Fit::uneven(&pairs).filter(|fit| fit.is_likely()).or_else(|| Fit::even(&pairs));
        fit = fitted.filter(|fit| fit.is_likely())?;
        near = NEAR_MM_FITTED;
    }
    let (borne_out, _) = fit.borne_out(anchors, seen, NEAR_MM_FITTED);
    let found: Vec<Point> = paired(anchors, seen, &borne_out).into_iter().map(|pair| pair.0).collect();
    (spread(&found) >= ANCHORS_SPREAD_MM_MIN).then_some(Placed { fit, borne_out })
}

fn paired(anchors: &[Point], seen: &[Vec<Point>], borne_out: &[Option<usize>]) -> Vec<(Point, Point)> {
    let all = anchors.iter().zip(seen).zip(borne_out);
    all.filter_map(|((anchor, seen), at)| Some((*anchor, *seen.get((*at)?)?))).collect()
}

/// Every two anchors, each at one of its places on the page; words that are rare on the page first.
fn proposals(anchors: &[Point], seen: &[Vec<Point>]) -> Vec<[(Point, Point); 2]> {
    let mut order: Vec<(Point, &Vec<Point>)> = anchors.iter().copied().zip(seen).filter(|(_, seen)| !seen.is_empty()).collect();
    order.sort_by_key(|(_, seen)| seen.len());
    let mut proposals = Vec::new();
    for (at, (second, seconds)) in order.iter().enumerate() {
        for (first, firsts) in order.iter().take(at).filter(|(first, _)| first.distance(*second) >= SPAN_MM_MIN) {
            for one in firsts.iter() {
                proposals.extend(seconds.iter().map(|other| [(*first, *one), (*second, *other)]));
            }
            if proposals.len() >= PROPOSALS_MAX {
                return proposals;
            }
        }
    }
    proposals
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHORS: [Point; 7] = [
        Point { x: 20.0, y: 40.0 },
        Point { x: 20.0, y: 60.0 },
        Point { x: 110.0, y: 60.0 },
        Point { x: 20.0, y: 95.0 },
        Point { x: 120.0, y: 130.0 },
        Point { x: 25.0, y: 180.0 },
        Point { x: 70.0, y: 230.0 },
    ];

    /// As a page shows the form that is turned by so many degrees, stretched and moved.
    fn shown(at: Point, degrees: f64, (across, down): (f64, f64), (right, below): (f64, f64)) -> Point {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (x, y) = (at.x * across, at.y * down);
        Point { x: x * cos - y * sin + right, y: x * sin + y * cos + below }
    }

    fn seen(degrees: f64, stretched: (f64, f64), moved: (f64, f64)) -> Vec<Vec<Point>> {
        ANCHORS.iter().map(|anchor| vec![shown(*anchor, degrees, stretched, moved)]).collect()
    }

    #[test]
    fn a_form_is_found_that_is_moved_turned_and_stretched() {
        let cell = Point { x: 60.0, y: 140.0 };
        for (degrees, stretched, moved) in [
            (0.0, (1.0, 1.0), (0.0, 0.0)),
            (0.0, (1.0, 1.0), (12.0, -9.0)),
            (2.0, (1.0, 1.0), (3.0, 5.0)),
            (-3.0, (0.94, 0.94), (8.0, 8.0)),
            (0.7, (1.0, 1.03), (0.0, -4.0)),
            (0.0, (1.2, 1.2), (-20.0, 0.0)),
        ] {
            let placed = place(&ANCHORS, &seen(degrees, stretched, moved)).expect("it lies on the page");
            assert_eq!(placed.borne_out.iter().flatten().count(), ANCHORS.len());
            let due = shown(cell, degrees, stretched, moved);
            assert!(placed.fit.to_page(cell).distance(due) < 0.3, "{degrees} {stretched:?} {moved:?}");
            assert!(placed.fit.to_form(due).distance(cell) < 0.3, "{degrees} {stretched:?} {moved:?}");
        }
    }

    #[test]
    fn what_was_not_found_and_what_stands_elsewhere_too_does_no_harm() {
        let mut seen = seen(1.0, (0.97, 0.97), (4.0, 2.0));
        seen[0].clear();
        seen[3].clear();
        seen[1].insert(0, Point { x: 150.0, y: 20.0 });
        seen[2] = vec![Point { x: 5.0, y: 250.0 }];
        let placed = place(&ANCHORS, &seen).expect("four anchors are enough to lay it");
        assert_eq!(placed.borne_out, [None, Some(1), None, None, Some(0), Some(0), Some(0)]);
        let due = shown(ANCHORS[0], 1.0, (0.97, 0.97), (4.0, 2.0));
        assert!(placed.fit.to_page(ANCHORS[0]).distance(due) < 0.5);
    }

    #[test]
    fn words_in_another_order_are_no_form() {
        let mixed: Vec<Vec<Point>> = ANCHORS.iter().rev().map(|anchor| vec![*anchor]).collect();
        let found = place(&ANCHORS, &mixed).map_or(0, |placed| placed.borne_out.iter().flatten().count());
        assert!(found < 4, "{found} of its words are in place by chance");
        assert!(
            place(&ANCHORS, &seen(12.0, (1.0, 1.0), (0.0, 0.0)))
                .is_none_or(|placed| placed.borne_out.iter().flatten().count() < 4)
        );
        assert!(place(&ANCHORS, &vec![Vec::new(); ANCHORS.len()]).is_none());
    }
}
