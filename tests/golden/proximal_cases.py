"""Steps under penalties: FTRL."""

from oracles import Case, keras, keras_case


def cases() -> list[Case]:
    return [
        keras_case(
            "ftrl",
            {
                "ftrl": {
                    "learning_rate": 0.3,
                    "l1": 0.4,
                    "l2": 0.1,
                    "beta": 0.2,
                    "initial_accumulator_value": 0.3,
                    "power": 0.45,
                }
            },
            keras.optimizers.Ftrl,
            {
                "learning_rate": 0.3,
                "learning_rate_power": -0.45,
                "initial_accumulator_value": 0.3,
                "l1_regularization_strength": 0.4,
                "l2_regularization_strength": 0.05,
                "beta": 0.2,
            },
            notes="entries are exactly zero and leave it again; keras doubles its l2",
        )
    ]
