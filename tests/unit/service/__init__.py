"""Tests of what every service is made of."""
