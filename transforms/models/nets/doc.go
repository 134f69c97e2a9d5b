// Package nets has the small image networks of data set distillation, as functions of
// one flat parameter vector, and the gradients that it takes of them.
//
// A [Net] says what is computed: ConvNet, MLP or LeNet for images of one size. A
// [Learner] computes it on the process's device: logits, the gradient of the loss, and
// [Learner.Pull], the gradient of that gradient's product with a vector, which is what
// the exact adjoint of a training run needs at every step.
//
// Images are [n, height, width, channels], row-major; targets are probabilities
// [n, classes]. Nothing here draws but [Net.Draw]: augmentation, sampling and
// optimisers are the caller's.
package nets
