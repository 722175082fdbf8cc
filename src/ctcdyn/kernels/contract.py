"""The interface that every solver imports, as a working toy model. Generated: python -m ctcdyn.codegen.toy

A solver runs by itself on this model; `ctcdyn.codegen.link` puts the algebra of another in its place. Names in kernels:
`i` lane, `s` species, `r` reaction, `q` parameter, `j` save, `k` trajectory of the range, `t` time in days; `w` work
buffer, `v` generator buffer, `n` lane bookkeeping. The toy: a tumour sheds cells into blood, more of them at one time of
day than at another; they are cleared or go into tissue. A dose multiplies clearance, surgery takes the tissue cells.
"""

from ctcdyn.kernels.lanemath import cos_, exp_, log_, pow_, sin_
from ctcdyn.kernels.machine import block, lane, pick, term
from ctcdyn.kernels.normals import polar
from ctcdyn.kernels.philox import draw_at
from ctcdyn.kernels.samples import sampled
from ctcdyn.kernels.toy.backward import (
    BACK, BEGINS, CELLS, CELL_ROW, CHANCES, CHANCE_GONE, CHANCE_ROW, MARK, MARKS, MEANS, PATHS, PATH_ROW,
    PIECE, RECORD, SEGMENTS, STARTS, START_CELL, START_CHANCE, START_EVENT, TRACK, armed, drift_back,
    drift_back_lane, factor_back, factor_back_lane, jacobian_back, jacobian_back_lane, look, note, recall,
    solve_back, solve_back_lane, time_derivative_back, time_derivative_back_lane,
)
from ctcdyn.kernels.toy.channels import alter, alter_0, chosen, propensities, propensities_0
from ctcdyn.kernels.toy.dependency import (
    ARGUMENTS, ARGUMENT_AT, FLAT, FORM, GROUPS, GROUP_FACTOR, LEVELS, LEVEL_AT, LEVEL_LAST, LITERALS, PLAN,
    PLAN_AT, REFILL, RENEW, ROOM, SUMS, fall, form_0, limit_shed, part, signless, thinned, tops, valid, window,
)
from ctcdyn.kernels.toy.drift import drift, drift_lane
from ctcdyn.kernels.toy.jacobian import (
    factor, factor_lane, jacobian, jacobian_lane, solve, solve_lane, time_derivative, time_derivative_lane,
    turned,
)
from ctcdyn.kernels.toy.jump import (
    bound, changes, fire, prefix, rate_clear, rate_die, rate_leave, rate_shed, sums,
)
from ctcdyn.kernels.toy.layout import (
    A, ANSWERS, ANSWER_clear, ANSWER_die, ANSWER_leave, ANSWER_shed, AT, A_0, A_1, A_2, B, BEFORE,
    BEFORE_arrivals, BEFORE_blood, BEFORE_tissue, BORN, BUDGETS, B_arrivals, B_blood, B_tissue, C, CANDIDATE,
    CHOICE, C_shed, D, DISCRETE, DISCRETE_arrivals, DISCRETE_blood, DISCRETE_tissue, DRAWN, DRAWN_clear,
    DRAWN_die, DRAWN_leave, DRAWN_shed, DRIFT, DRIFT_0, DRIFT_1, DRIFT_2, DRIFT_3, DUE_0, DUE_1, D_arrivals,
    D_blood, D_tissue, EPSILON, EXCESS, F, FALL, FALL_arrivals, FALL_blood, FALL_tissue, FIRINGS,
    FIRINGS_clear, FIRINGS_die, FIRINGS_leave, FIRINGS_shed, FLIP_0, FORCE, FORCES, FORCE_0, FORCE_1, FORCE_2,
    FORCE_3, FREE, FREE_OF_clear, FREE_OF_die, FREE_OF_leave, FREE_OF_shed, FROM, FUSED, F_arrivals, F_blood,
    F_tissue, GROSS_LOSSES, GROSS_LOSSES_OF_arrivals, GROSS_LOSSES_OF_blood, GROSS_LOSSES_OF_tissue, GUARDED,
    HAZARDS, HAZARD_OF_ALL, HAZARD_OF_CRITICAL, HAZARD_clear, HAZARD_die, HAZARD_leave, HAZARD_shed, HELD_1,
    HERE, HIGH_0, J, JUMP, JUMP_0, JUMP_1, JUMP_2, JUMP_3, J_0_0, J_1_0, J_1_1, J_2_0, L, LAPSE,
    LASTING_LOSSES, LASTING_LOSSES_OF_arrivals, LASTING_LOSSES_OF_blood, LASTING_LOSSES_OF_tissue,
    LASTING_MEANS, LASTING_MEANS_OF_arrivals, LASTING_MEANS_OF_blood, LASTING_MEANS_OF_tissue,
    LASTING_VARIANCES, LASTING_VARIANCES_OF_arrivals, LASTING_VARIANCES_OF_blood, LASTING_VARIANCES_OF_tissue,
    LEAP, LEFT_0, LEFT_OF_clear, LEFT_OF_die, LEFT_OF_leave, LEFT_OF_shed, LIMIT, LOGS, LOW_0, L_0_0, L_1_0,
    L_1_1, L_2_0, L_2_2, NONCRITICAL, NUMBERED, ONE, PACES, PACE_arrivals, PACE_blood, PACE_tissue,
    PARAMETERS, PARTITIONED, PASSAGES, PASSED, PASSED_detection, PASSING, PATH, PATHED, Q, Q_blood__initial,
    Q_clearance, Q_death, Q_detectable, Q_dose__cycles, Q_dose__every, Q_dose__given, Q_dose__x_clearance,
    Q_dose_day, Q_extravasation, Q_holiday, Q_seeded, Q_shedding, Q_surgery__given, Q_swing, RATES,
    RATE_clear, RATE_die, RATE_leave, RATE_shed, REACTIONS, READINGS, REAL, REST, RETURNING, RISE,
    RISE_arrivals, RISE_blood, RISE_tissue, ROOMS, ROOM_arrivals, ROOM_blood, ROOM_tissue, SEGMENT, SHIFT,
    SHOWN, SLOPED, SPECIES, SPREAD, STIRS, STIRS_arrivals, STIRS_blood, STIRS_tissue, SUPPLY, SUPPLY_arrivals,
    SUPPLY_blood, SUPPLY_tissue, SWITCHES, S_0, T, TIME, TIMED, TO, TOPS, TOP_0, TOP_1, TOP_2, TOTAL, TREE,
    TRIED, T_arrivals, T_blood, T_tissue, U, U_arrivals, U_blood, U_tissue, W, WHOLE, X, X_arrivals, X_blood,
    X_tissue, Y, Y_arrivals, Y_blood, Y_tissue, Z, Z_arrivals, Z_blood, Z_tissue,
)
from ctcdyn.kernels.toy.leap import (
    hazards, hazards_0, leap_limits, leap_limits_0, leap_limits_1, leap_limits_2, moved, occur, occur_0,
    occur_1, occur_2, pick_critical, pick_critical_0, pick_critical_1,
)
from ctcdyn.kernels.toy.noise import (
    NOISES, first_increment, first_increment_0, increment, increment_0, second_increment, second_increment_0,
)
from ctcdyn.kernels.toy.partition import OPEN, RESTING, TAMED, WALKED, guard_jump, mask, partition
from ctcdyn.kernels.toy.stiffness import answer, answer_0, displaced, displaced_0, rooms, rooms_0, unresolved
from ctcdyn.kernels.toy.stops import (
    apply, coefficients, guard, initial, log_event, observe, schedule, upcoming,
)
from ctcdyn.kernels.toy.transition import (
    BENDING, BIRTH_AT, BIRTH_WAY, BURSTING, BURSTS, BURST_WAY, DEATH_AT, DEATH_WAY, EDGES, EDGE_FROM, EDGE_TO,
    EDGE_WAY, EXPORTING, EXPORT_AT, EXPORT_WAY, FOUNDING, FROZEN, GAIN_AT, GAIN_ROW, GAIN_STEP, GOAL_AT,
    GOAL_NODE, GROWERS, GROWER_ROW, GROWER_WATCHED, HIGH, LIVE_AT, LIVE_CELL, LOSSES, LOSS_NODE, LOSS_WAY,
    LOW, MORTAL, MOVERS, MOVER_WAY, MOVE_AT, MOVE_ROW, MOVE_STEP, MOVING, NODES, NODE_GAIN_AT, NODE_GAIN_ROW,
    NODE_GAIN_STEP, NODE_KIND, NODE_WHAT, PINNING, PLAINS, PLAIN_ROW, REALS, REAL_ROW, SIMPLE, SOURCES,
    SOURCE_GROWER, SOURCE_MOVER, SOURCE_PLAIN, SOURCE_WAY, STEP_OF_AT, STEP_OF_WAY, UNTRACED, WATCHED,
    WATCHED_ROW, WAYS, WAY_EXPORT, WAY_FOUNDER, WAY_GROWER, WAY_ROW, WAY_WATCHED, acknowledge, flow, forces,
    movers, would,
)

__all__ = [
    "A", "ANSWERS", "ANSWER_clear", "ANSWER_die", "ANSWER_leave", "ANSWER_shed", "ARGUMENTS", "ARGUMENT_AT",
    "AT", "A_0", "A_1", "A_2", "B", "BACK", "BEFORE", "BEFORE_arrivals", "BEFORE_blood", "BEFORE_tissue",
    "BEGINS", "BENDING", "BIRTH_AT", "BIRTH_WAY", "BORN", "BUDGETS", "BURSTING", "BURSTS", "BURST_WAY",
    "B_arrivals", "B_blood", "B_tissue", "C", "CANDIDATE", "CELLS", "CELL_ROW", "CHANCES", "CHANCE_GONE",
    "CHANCE_ROW", "CHOICE", "C_shed", "D", "DEATH_AT", "DEATH_WAY", "DISCRETE", "DISCRETE_arrivals",
    "DISCRETE_blood", "DISCRETE_tissue", "DRAWN", "DRAWN_clear", "DRAWN_die", "DRAWN_leave", "DRAWN_shed",
    "DRIFT", "DRIFT_0", "DRIFT_1", "DRIFT_2", "DRIFT_3", "DUE_0", "DUE_1", "D_arrivals", "D_blood",
    "D_tissue", "EDGES", "EDGE_FROM", "EDGE_TO", "EDGE_WAY", "EPSILON", "EXCESS", "EXPORTING", "EXPORT_AT",
    "EXPORT_WAY", "F", "FALL", "FALL_arrivals", "FALL_blood", "FALL_tissue", "FIRINGS", "FIRINGS_clear",
    "FIRINGS_die", "FIRINGS_leave", "FIRINGS_shed", "FLAT", "FLIP_0", "FORCE", "FORCES", "FORCE_0", "FORCE_1",
    "FORCE_2", "FORCE_3", "FORM", "FOUNDING", "FREE", "FREE_OF_clear", "FREE_OF_die", "FREE_OF_leave",
    "FREE_OF_shed", "FROM", "FROZEN", "FUSED", "F_arrivals", "F_blood", "F_tissue", "GAIN_AT", "GAIN_ROW",
    "GAIN_STEP", "GOAL_AT", "GOAL_NODE", "GROSS_LOSSES", "GROSS_LOSSES_OF_arrivals", "GROSS_LOSSES_OF_blood",
    "GROSS_LOSSES_OF_tissue", "GROUPS", "GROUP_FACTOR", "GROWERS", "GROWER_ROW", "GROWER_WATCHED", "GUARDED",
    "HAZARDS", "HAZARD_OF_ALL", "HAZARD_OF_CRITICAL", "HAZARD_clear", "HAZARD_die", "HAZARD_leave",
    "HAZARD_shed", "HELD_1", "HERE", "HIGH", "HIGH_0", "J", "JUMP", "JUMP_0", "JUMP_1", "JUMP_2", "JUMP_3",
    "J_0_0", "J_1_0", "J_1_1", "J_2_0", "L", "LAPSE", "LASTING_LOSSES", "LASTING_LOSSES_OF_arrivals",
    "LASTING_LOSSES_OF_blood", "LASTING_LOSSES_OF_tissue", "LASTING_MEANS", "LASTING_MEANS_OF_arrivals",
    "LASTING_MEANS_OF_blood", "LASTING_MEANS_OF_tissue", "LASTING_VARIANCES", "LASTING_VARIANCES_OF_arrivals",
    "LASTING_VARIANCES_OF_blood", "LASTING_VARIANCES_OF_tissue", "LEAP", "LEFT_0", "LEFT_OF_clear",
    "LEFT_OF_die", "LEFT_OF_leave", "LEFT_OF_shed", "LEVELS", "LEVEL_AT", "LEVEL_LAST", "LIMIT", "LITERALS",
    "LIVE_AT", "LIVE_CELL", "LOGS", "LOSSES", "LOSS_NODE", "LOSS_WAY", "LOW", "LOW_0", "L_0_0", "L_1_0",
    "L_1_1", "L_2_0", "L_2_2", "MARK", "MARKS", "MEANS", "MORTAL", "MOVERS", "MOVER_WAY", "MOVE_AT",
    "MOVE_ROW", "MOVE_STEP", "MOVING", "NODES", "NODE_GAIN_AT", "NODE_GAIN_ROW", "NODE_GAIN_STEP",
    "NODE_KIND", "NODE_WHAT", "NOISES", "NONCRITICAL", "NUMBERED", "ONE", "OPEN", "PACES", "PACE_arrivals",
    "PACE_blood", "PACE_tissue", "PARAMETERS", "PARTITIONED", "PASSAGES", "PASSED", "PASSED_detection",
    "PASSING", "PATH", "PATHED", "PATHS", "PATH_ROW", "PIECE", "PINNING", "PLAINS", "PLAIN_ROW", "PLAN",
    "PLAN_AT", "Q", "Q_blood__initial", "Q_clearance", "Q_death", "Q_detectable", "Q_dose__cycles",
    "Q_dose__every", "Q_dose__given", "Q_dose__x_clearance", "Q_dose_day", "Q_extravasation", "Q_holiday",
    "Q_seeded", "Q_shedding", "Q_surgery__given", "Q_swing", "RATES", "RATE_clear", "RATE_die", "RATE_leave",
    "RATE_shed", "REACTIONS", "READINGS", "REAL", "REALS", "REAL_ROW", "RECORD", "REFILL", "RENEW", "REST",
    "RESTING", "RETURNING", "RISE", "RISE_arrivals", "RISE_blood", "RISE_tissue", "ROOM", "ROOMS",
    "ROOM_arrivals", "ROOM_blood", "ROOM_tissue", "SEGMENT", "SEGMENTS", "SHIFT", "SHOWN", "SIMPLE", "SLOPED",
    "SOURCES", "SOURCE_GROWER", "SOURCE_MOVER", "SOURCE_PLAIN", "SOURCE_WAY", "SPECIES", "SPREAD", "STARTS",
    "START_CELL", "START_CHANCE", "START_EVENT", "STEP_OF_AT", "STEP_OF_WAY", "STIRS", "STIRS_arrivals",
    "STIRS_blood", "STIRS_tissue", "SUMS", "SUPPLY", "SUPPLY_arrivals", "SUPPLY_blood", "SUPPLY_tissue",
    "SWITCHES", "S_0", "T", "TAMED", "TIME", "TIMED", "TO", "TOPS", "TOP_0", "TOP_1", "TOP_2", "TOTAL",
    "TRACK", "TREE", "TRIED", "T_arrivals", "T_blood", "T_tissue", "U", "UNTRACED", "U_arrivals", "U_blood",
    "U_tissue", "W", "WALKED", "WATCHED", "WATCHED_ROW", "WAYS", "WAY_EXPORT", "WAY_FOUNDER", "WAY_GROWER",
    "WAY_ROW", "WAY_WATCHED", "WHOLE", "X", "X_arrivals", "X_blood", "X_tissue", "Y", "Y_arrivals", "Y_blood",
    "Y_tissue", "Z", "Z_arrivals", "Z_blood", "Z_tissue", "acknowledge", "alter", "alter_0", "answer",
    "answer_0", "apply", "armed", "bound", "changes", "chosen", "coefficients", "displaced", "displaced_0",
    "drift", "drift_back", "drift_back_lane", "drift_lane", "factor", "factor_back", "factor_back_lane",
    "factor_lane", "fall", "fire", "first_increment", "first_increment_0", "flow", "forces", "form_0",
    "guard", "guard_jump", "hazards", "hazards_0", "increment", "increment_0", "initial", "jacobian",
    "jacobian_back", "jacobian_back_lane", "jacobian_lane", "leap_limits", "leap_limits_0", "leap_limits_1",
    "leap_limits_2", "limit_shed", "log_event", "look", "mask", "moved", "movers", "note", "observe", "occur",
    "occur_0", "occur_1", "occur_2", "part", "partition", "pick_critical", "pick_critical_0",
    "pick_critical_1", "prefix", "propensities", "propensities_0", "rate_clear", "rate_die", "rate_leave",
    "rate_shed", "recall", "rooms", "rooms_0", "schedule", "second_increment", "second_increment_0",
    "signless", "solve", "solve_back", "solve_back_lane", "solve_lane", "sums", "thinned", "time_derivative",
    "time_derivative_back", "time_derivative_back_lane", "time_derivative_lane", "tops", "turned",
    "unresolved", "upcoming", "valid", "window", "would",
]
