use super::budget::Budget;

const ROOT: u32 = u32::MAX;
const DROPPED: u32 = u32::MAX;
/// Itemsets told to the budget at a time.
const BATCH: usize = 512;

/// An FP-tree: baskets as paths from the root, the most frequent item first, with shared beginnings stored once. Items are
/// *codes* in that order. Nodes lie in depth-first order, because paths come sorted: a parent is mostly the node before.
pub(super) struct Tree {
    /// Item id of each code.
    ids: Vec<u32>,
    /// Baskets with each code.
    totals: Vec<u32>,
    nodes: Vec<Node>,
    /// Nodes of code c: `of_code[starts[c]..starts[c + 1]]`.
    starts: Vec<u32>,
    of_code: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Node {
    code: u32,
    parent: u32,
    count: u32,
}

/// Paths of codes, each ascending, and how many baskets each stands for.
#[derive(Default)]
pub(super) struct Paths {
    codes: Vec<u32>,
    spans: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
    count: u32,
}

impl Paths {
    /// Adds the codes that `add` appends, unless there are none.
    pub(super) fn push(&mut self, count: u32, add: impl FnOnce(&mut Vec<u32>)) {
        let start = self.codes.len() as u32;
        add(&mut self.codes);
        let end = self.codes.len() as u32;
        if end > start {
            self.spans.push(Span { start, end, count });
        }
    }

    pub(super) fn append(&mut self, other: &Self) {
        let shift = self.codes.len() as u32;
        self.codes.extend_from_slice(&other.codes);
        let shifted = |s: &Span| Span { start: s.start + shift, end: s.end + shift, count: s.count };
        self.spans.extend(other.spans.iter().map(shifted));
    }

    fn path(&self, span: &Span) -> &[u32] {
        &self.codes[span.start as usize..span.end as usize]
    }

    fn sort(&mut self) {
        let mut spans = std::mem::take(&mut self.spans);
        spans.sort_unstable_by(|a, b| self.path(a).cmp(self.path(b)));
        self.spans = spans;
    }
}

impl Tree {
    /// `ids` and `totals` by code; `paths` in any order.
    pub(super) fn new(ids: Vec<u32>, totals: Vec<u32>, mut paths: Paths) -> Self {
        paths.sort();
        let mut nodes: Vec<Node> = Vec::new();
        // The nodes of the path before.
        let mut line: Vec<u32> = Vec::new();
        for span in &paths.spans {
            let path = paths.path(span);
            let shared = line.iter().zip(path).take_while(|&(&node, &code)| nodes[node as usize].code == code).count();
            line.truncate(shared);
            line.iter().for_each(|&node| nodes[node as usize].count += span.count);
            for &code in &path[shared..] {
                let parent = line.last().copied().unwrap_or(ROOT);
                line.push(nodes.len() as u32);
                nodes.push(Node { code, parent, count: span.count });
            }
        }
        drop(paths);
        let (starts, of_code) = by_code(&nodes, ids.len());
        Self { ids, totals, nodes, starts, of_code }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Baskets that hold `code` and each smaller code.
    fn counts_above(&self, code: usize) -> Vec<u32> {
        let mut counts = vec![0; code];
        for node in self.nodes_of(code) {
            let mut at = node.parent;
            while let Some(above) = self.nodes.get(at as usize) {
                counts[above.code as usize] += node.count;
                at = above.parent;
            }
        }
        counts
    }

    /// The tree of the baskets that hold `code`, of the smaller codes that `counts` finds in `floor` of them or more.
    fn conditional(&self, code: usize, counts: &[u32], floor: u32) -> Self {
        let (mut ids, mut totals) = (Vec::new(), Vec::new());
        let mut new_code = vec![DROPPED; code];
        for (old, &count) in counts.iter().enumerate().filter(|&(_, &count)| count >= floor) {
            new_code[old] = ids.len() as u32;
            ids.push(self.ids[old]);
            totals.push(count);
        }
        let mut paths = Paths::default();
        for node in self.nodes_of(code) {
            paths.push(node.count, |codes| {
                let start = codes.len();
                let mut at = node.parent;
                while let Some(above) = self.nodes.get(at as usize) {
                    match new_code[above.code as usize] {
                        DROPPED => (),
                        new => codes.push(new),
                    }
                    at = above.parent;
                }
                codes[start..].reverse();
            });
        }
        Self::new(ids, totals, paths)
    }

    fn nodes_of(&self, code: usize) -> impl Iterator<Item = &Node> {
        let range = self.starts[code] as usize..self.starts[code + 1] as usize;
        self.of_code[range].iter().map(|&node| &self.nodes[node as usize])
    }
}

fn by_code(nodes: &[Node], codes: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; codes + 1];
    nodes.iter().for_each(|node| starts[node.code as usize + 1] += 1);
    (0..codes).for_each(|code| starts[code + 1] += starts[code]);
    let mut next = starts.clone();
    let mut of_code = vec![0; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        let place = &mut next[node.code as usize];
        of_code[*place as usize] = i as u32;
        *place += 1;
    }
    (starts, of_code)
}

/// Itemsets found, one after the other: items ascending, and the count of each.
#[derive(Default)]
pub(super) struct Sets {
    pub(super) items: Vec<u32>,
    pub(super) ends: Vec<usize>,
    pub(super) counts: Vec<u32>,
}

/// The search for the itemsets whose last code is one given code of the tree.
pub(super) struct Growth<'a> {
    budget: &'a Budget,
    max_length: usize,
    /// The itemset on the way, in no order.
    itemset: Vec<u32>,
    sets: Sets,
    /// Counts not yet told to the budget.
    untold: Vec<u32>,
}

impl<'a> Growth<'a> {
    /// All frequent itemsets with `code` and smaller codes; none once the budget is spent.
    pub(super) fn of(tree: &Tree, code: usize, max_length: usize, budget: &'a Budget) -> Sets {
        let mut growth = Self { budget, max_length, itemset: vec![], sets: Sets::default(), untold: vec![] };
        growth.grow(tree, code);
        growth.tell();
        growth.sets
    }

    fn grow(&mut self, tree: &Tree, code: usize) {
        let floor = self.budget.floor();
        if tree.totals[code] < floor {
            return;
        }
        self.itemset.push(tree.ids[code]);
        self.found(tree.totals[code]);
        if self.itemset.len() < self.max_length {
            let counts = tree.counts_above(code);
            let kept = counts.iter().filter(|&&count| count >= floor).count();
            if kept <= 1 || self.itemset.len() + 1 == self.max_length {
                for (above, &count) in counts.iter().enumerate().filter(|&(_, &count)| count >= floor) {
                    self.itemset.push(tree.ids[above]);
                    self.found(count);
                    self.itemset.pop();
                }
            } else {
                let conditional = tree.conditional(code, &counts, floor);
                drop(counts);
                // Ascending, so that small sets come first and a budget is spent before the recursion is deep.
                (0..conditional.len()).for_each(|above| self.grow(&conditional, above));
            }
        }
        self.itemset.pop();
    }

    fn found(&mut self, count: u32) {
        self.untold.push(count);
        if self.untold.len() >= BATCH {
            self.tell();
        }
        if self.budget.is_spent() {
            self.sets = Sets::default();
            return;
        }
        let start = self.sets.items.len();
        self.sets.items.extend_from_slice(&self.itemset);
        self.sets.items[start..].sort_unstable();
        self.sets.ends.push(self.sets.items.len());
        self.sets.counts.push(count);
    }

    fn tell(&mut self) {
        self.budget.add(&self.untold);
        self.untold.clear();
    }
}
