"""Tests of the Kubernetes manifests."""
