// Package distill has the kinds that make a small training set of a large one:
// TrainExperts trains networks and keeps their trajectories, Distill makes a few images
// a class to train on instead, EvaluateDistilled says what they are worth.
//
// None knows much: networks and their gradients are in transforms/models/nets, the
// matching loss in package match over augment, the experts in package expert, training
// on distilled images in package student, the images themselves in package labelled.
package distill
