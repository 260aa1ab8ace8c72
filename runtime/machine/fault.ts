/** A fault of the model itself, such as a body that never takes a step: not a finding about the kernel. */
export class ModelFault extends Error {
  override readonly name = "ModelFault";
}

/** Statements of a script that go round for ever without anything that others could notice. */
export class GoesRound extends Error {
  override readonly name = "GoesRound";
}
