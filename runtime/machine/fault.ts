/** A fault of the model itself, such as a body that never takes a step: not a finding about the kernel. */
export class ModelFault extends Error {
  override readonly name = "ModelFault";
}
