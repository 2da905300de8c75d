"""What a prediction costs each part, in what adds up: processor time, commits, bytes."""
