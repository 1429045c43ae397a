"""Writes bandit_log.csv, a log of 400 random decisions, and what MABWiser 2.7.4 makes of it.

bandit_log.csv: arm, reward, two numbers of context, the probability of the arm.
bandits.csv: per row the arm that UCB1 (alpha 1.25) chooses when it learns from the rows it agrees with, and the
expectations of LinUCB (alpha 0.7, l2 0.5) after all rows up to and with this one, from row 30 on.
"""
import pathlib
import random

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

HERE = pathlib.Path(__file__).resolve().parent
ARMS = [0, 1, 2]
rng = random.Random(17)
rows = []
for i in range(400):
    x = (1.0, round(rng.gauss(0, 1), 3))
    p = (0.5, 0.25, 0.25)
    # The first rows show each arm once, for MABWiser's first fit.
    arm = i if i < 3 else rng.choices(ARMS, p)[0]
    reward = int(rng.random() < (0.3, 0.5 + 0.3 * (x[1] > 0), 0.45)[arm])
    rows.append((arm, reward, *x, p[arm]))
(HERE / "bandit_log.csv").write_text("arm,reward,x1,x2,propensity\n" + "\n".join(",".join(map(str, r)) for r in rows) + "\n")

arms, rewards = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
contexts = np.array([r[2:4] for r in rows])
ucb = MAB(ARMS, LearningPolicy.UCB1(alpha=1.25))
lin = MAB(ARMS, LearningPolicy.LinUCB(alpha=0.7, l2_lambda=0.5))
ucb.fit(arms[:3], rewards[:3])
with (HERE / "bandits.csv").open("w") as file:
    file.write("row,ucb1,lin0,lin1,lin2\n")
    for i in range(3, 400):
        choice = ucb.predict()
        if choice == arms[i]:
            ucb.partial_fit(arms[i : i + 1], rewards[i : i + 1])
        if i < 30:
            expected = ["", "", ""]
        else:
            (lin.fit if i == 30 else lin.partial_fit)(*((a[: i + 1] if i == 30 else a[i : i + 1]) for a in (arms, rewards, contexts)))
            expected = lin.predict_expectations(contexts[i : i + 1]).values()
        file.write(",".join([str(i), str(choice), *(repr(float(e)) if e != "" else "" for e in expected)]) + "\n")
