// The current workout as it will be once these events are in: what the page shows while they are on their
// way. The server's projection stays the truth; this is only the last few seconds (or a gym's cellar).

/** The workout after one event {event_type, payload}; never changes its argument. */
export function applied(workout, { event_id, event_type, payload }) {
  if (event_type === "WorkoutStarted") return workout ?? started(payload);
  if (!workout || payload.workout_id !== workout.id) return workout;
  switch (event_type) {
    case "WorkoutCompleted":
    case "WorkoutDiscarded":
      return null;
    case "ExerciseAdded":
      return withSets(workout, payload.exercise_id, (sets) => sets);
    case "SetLogged":
      if (workout.exercises.some(({ sets }) => sets.some((set) => set.event_id === event_id))) return workout;
      return withSets(workout, payload.exercise_id, (sets) => [...sets, logged(event_id, payload)]);
    case "SetModified":
      return everySet(workout, (set) => (set.event_id === payload.original_event_id ? modified(set, payload) : set));
    case "SetDeleted":
      return everySet(workout, (set) => (set.event_id === payload.original_event_id ? null : set));
    default:
      return workout;
  }
}

function started(payload) {
  return {
    id: payload.workout_id,
    name: payload.name ?? null,
    started_at: new Date().toISOString(),
    from_template_id: payload.from_template_id ?? null,
    focus_exercise: payload.exercise_ids?.[0] ?? null,
    exercises: [...new Set(payload.exercise_ids ?? [])].map((exercise_id) => ({ exercise_id, sets: [] })),
  };
}

function logged(event_id, { weight, reps, unit, duration_seconds }) {
  const set = { event_id, weight, reps: reps ?? null, unit, pending: true };
  return duration_seconds ? { ...set, duration_seconds } : set;
}

function modified(set, payload) {
  const changes = Object.entries(payload).filter(([key, value]) => value != null && key in set);
  return { ...set, ...Object.fromEntries(changes), event_id: set.event_id, pending: true };
}

function withSets(workout, exercise_id, change) {
  const known = workout.exercises.some((exercise) => exercise.exercise_id === exercise_id);
  const exercises = known ? workout.exercises : [...workout.exercises, { exercise_id, sets: [] }];
  return {
    ...workout,
    focus_exercise: exercise_id,
    exercises: exercises.map((exercise) =>
      exercise.exercise_id === exercise_id ? { ...exercise, sets: change(exercise.sets) } : exercise,
    ),
  };
}

function everySet(workout, change) {
  const exercises = workout.exercises.map((exercise) => ({
    ...exercise,
    sets: exercise.sets.map(change).filter(Boolean),
  }));
  return { ...workout, exercises };
}
